#include "tools/edit_uniform.h"

#include <algorithm>
#include <cstdint>
#include <map>

#include "base/utf8.h"
#include "tools/edit_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kNowhere = std::string::npos;
constexpr size_t kPairsMax = 4'000'000;  // Cells of the table that pairs pieces; beyond, none are.

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The ASCII character that an odd one stands for; 0 when it is not odd.
char folded(std::string_view character) {
  if (character == "\u2018" || character == "\u2019" || character == "\u201B") return '\'';
  if (character == "\u201C" || character == "\u201D" || character == "\u201E") return '"';
  if (character == "\u2212") return '-';
  if (character == "\u00A0" || character == "\u202F" || character == "\u205F" ||
      character == "\u3000") {
    return ' ';
  }
  if (character.size() != 3 || !character.starts_with("\xE2\x80")) return 0;
  const auto last = static_cast<unsigned char>(character[2]);
  if (last >= 0x80 && last <= 0x8A) return ' ';  // U+2000 .. U+200A
  if (last >= 0x90 && last <= 0x95) return '-';  // U+2010 .. U+2015
  return 0;
}

bool is_word(char c) {
  return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// Words, and all else byte by byte: [begin, end) of each.
std::vector<std::pair<size_t, size_t>> pieces_of(std::string_view text, size_t from, size_t until) {
  std::vector<std::pair<size_t, size_t>> pieces;
  while (from < until) {
    size_t end = from + 1;
    while (is_word(text[from]) && end < until && is_word(text[end])) ++end;
    pieces.emplace_back(from, end);
    from = end;
  }
  return pieces;
}

}  // namespace

MappedText make_uniform(std::string_view bytes, Uniform how) {
  MappedText out;
  size_t at = bytes.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (at < bytes.size()) {
    size_t size = 1;
    char c = bytes[at];
    if (c == '\r' && bytes.substr(at + 1).starts_with('\n')) {
      c = '\n';
      size = 2;
    } else if (how.fold && static_cast<unsigned char>(c) >= 0x80) {
      const int character = utf8_character_size(bytes.substr(at));
      const char plain =
          character > 0 ? folded(bytes.substr(at, static_cast<size_t>(character))) : '\0';
      if (plain != 0) {
        c = plain;
        size = static_cast<size_t>(character);
      }
    }
    if (c == '\n' && how.trim_lines) out.pop_blanks();
    out.push(c, at, at + size);
    at += size;
  }
  if (how.trim_lines) out.pop_blanks();
  return out;
}

OddCharacters::OddCharacters(std::string_view file, std::string_view old_text,
                             std::string_view new_text)
    : file_(file),
      old_text_(old_text),
      new_text_(new_text),
      mapped_(make_uniform(file, {.trim_lines = true, .fold = true})),
      old_(make_uniform(old_text, {.trim_lines = true, .fold = true})),
      // Trimmed as well: what the file has at its line ends stays.
      new_(make_uniform(new_text, {.trim_lines = true, .fold = true})) {
  const size_t common = std::min(old_.text.size(), new_.text.size());
  while (head_ < common && old_.text[head_] == new_.text[head_]) ++head_;
  while (tail_ < common - head_ &&
         old_.text[old_.text.size() - 1 - tail_] == new_.text[new_.text.size() - 1 - tail_]) {
    ++tail_;
  }
  pair_pieces();
}

// The longest common subsequence of both middles, so that a quote between two changes is still the
// file's own.
void OddCharacters::pair_pieces() {
  const auto olds = pieces_of(old_.text, head_, old_.text.size() - tail_);
  const auto news = pieces_of(new_.text, head_, new_.text.size() - tail_);
  for (const auto& [begin, end] : news) pieces_.push_back({begin, end, kNowhere});
  const size_t width = news.size() + 1;
  if ((olds.size() + 1) * width > kPairsMax) return;
  const auto equal = [&](size_t i, size_t j) {
    return old_.text.compare(olds[i].first, olds[i].second - olds[i].first, new_.text,
                             news[j].first, news[j].second - news[j].first) == 0;
  };
  std::vector<uint32_t> longest((olds.size() + 1) * width, 0);
  for (size_t i = olds.size(); i-- > 0;) {
    for (size_t j = news.size(); j-- > 0;) {
      longest[i * width + j] =
          equal(i, j) ? longest[(i + 1) * width + j + 1] + 1
                      : std::max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  for (size_t i = 0, j = 0; i < olds.size() && j < news.size();) {
    if (equal(i, j)) {
      pieces_[j++].old_at = olds[i++].first;
    } else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
}

std::string OddCharacters::file_bytes(size_t at, size_t begin, size_t end) const {
  const size_t from = mapped_.begin[at + begin];
  return std::string(file_.substr(from, mapped_.end[at + end - 1] - from));
}

// Writes odd characters of `text` as the file does where it holds what `old` says: a model that
// writes curly quotes for straight ones does so in its new text as well.
std::string OddCharacters::spelled_as_in_file(std::string text, size_t at) const {
  std::map<std::string, std::string> spelled;
  for (size_t index = 0; index < old_.text.size(); ++index) {
    const std::string ours(
        old_text_.substr(old_.begin[index], old_.end[index] - old_.begin[index]));
    const std::string theirs = file_bytes(at, index, index + 1);
    if (ours.size() < 2 || ours.front() == '\r') continue;
    const auto [known, fresh] = spelled.emplace(ours, theirs);
    if (!fresh && known->second != theirs) known->second = ours;  // Both occur: leave it.
  }
  for (const auto& [ours, theirs] : spelled) {
    if (ours == theirs) continue;
    for (size_t place = text.find(ours); place != std::string::npos;
         place = text.find(ours, place + theirs.size())) {
      text.replace(place, ours.size(), theirs);
    }
  }
  return text;
}

TextMatch OddCharacters::match_at(size_t at, bool takes_line_end) const {
  const size_t begin = head_ > 0 ? mapped_.end[at + head_ - 1] : mapped_.begin[at];
  const size_t kept = old_.text.size() - tail_;
  size_t end = kept > head_ ? mapped_.end[at + kept - 1] : begin;
  if (takes_line_end && end < file_.size()) {
    end = std::min(file_.find('\n', end), file_.size() - 1) + 1;
  }
  std::string text;
  for (size_t index = 0; index < pieces_.size();) {
    const Piece& piece = pieces_[index];
    if (piece.old_at != kNowhere) {
      text += file_bytes(at, piece.old_at, piece.old_at + piece.end - piece.begin);
      ++index;
      continue;
    }
    size_t last = index;
    while (last + 1 < pieces_.size() && pieces_[last + 1].old_at == kNowhere) ++last;
    const size_t from = new_.begin[piece.begin];
    text += spelled_as_in_file(
        std::string(new_text_.substr(from, new_.end[pieces_[last].end - 1] - from)), at);
    index = last + 1;
  }
  return {begin, end, with_line_ends_of(file_, begin, end, std::move(text))};
}

}  // namespace levin::tools
