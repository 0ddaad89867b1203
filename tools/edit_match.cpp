#include "tools/edit_match.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/utf8.h"
#include "tools/edit_lines.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// A text made uniform, with the bytes that each of its bytes stands for.
struct MappedText {
  std::string text;
  std::vector<size_t> begin;
  std::vector<size_t> end;

  void push(char c, size_t from, size_t to) {
    text.push_back(c);
    begin.push_back(from);
    end.push_back(to);
  }
  void pop_blanks() {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
      text.pop_back();
      begin.pop_back();
      end.pop_back();
    }
  }
};

struct Uniform {
  bool trim_lines = false;  // Without blanks at line ends.
  bool fold = false;        // Quotes, dashes and spaces of one kind.
};

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

std::string uniform_text(std::string_view bytes) {
  return make_uniform(bytes, {}).text;
}

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || c == '_' || (c >= '0' && c <= '9') ||
         ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// Where a match must stand besides being equal, and what goes with it.
struct Rules {
  bool at_line_start = false;
  bool at_line_end = false;
  bool at_word_ends = false;    // Not in the middle of a word: what all looser levels ask for.
  bool takes_line_end = false;  // Whole lines that go take their line end along.
  bool overlapping = false;
};

bool stands_right(std::string_view text, size_t at, size_t after, const Rules& rules) {
  if (rules.at_line_start && at > 0 && text[at - 1] != '\n') return false;
  if (rules.at_line_end && after < text.size() && text[after] != '\n') return false;
  if (!rules.at_word_ends) return true;
  if (at > 0 && is_word(text[at - 1]) && is_word(text[at])) return false;
  return after >= text.size() || !is_word(text[after]) || !is_word(text[after - 1]);
}

std::vector<size_t> find_all(std::string_view text, std::string_view needle, const Rules& rules) {
  std::vector<size_t> places;
  if (needle.empty()) return places;
  size_t at = text.find(needle);
  while (at != std::string_view::npos) {
    const size_t after = at + needle.size();
    const bool stands = stands_right(text, at, after, rules);
    if (stands) places.push_back(at);
    at = text.find(needle, stands && !rules.overlapping ? after : at + 1);
  }
  return places;
}

// Size of the line end at `at`, 0 where there is none.
size_t line_end_size(std::string_view file, size_t at) {
  const std::string_view rest = file.substr(at);
  return rest.starts_with('\n') ? 1 : rest.starts_with("\r\n") ? 2 : 0;
}

std::vector<TextMatch> match_exact(std::string_view file, std::string_view old_text,
                                   std::string_view new_text, const Rules& rules) {
  // Who writes carriage returns in `old` knows the file's line ends.
  const bool verbatim = old_text.find('\r') != std::string_view::npos;
  std::vector<TextMatch> matches;
  for (const size_t at : find_all(file, old_text, rules)) {
    size_t end = at + old_text.size();
    if (rules.takes_line_end) end += line_end_size(file, end);
    std::string text(new_text);
    matches.push_back({at, end, verbatim ? text : with_line_ends_of(file, at, end, text)});
  }
  return matches;
}

std::vector<TextMatch> match_uniform(std::string_view file, const MappedText& mapped,
                                     std::string_view needle, const Rules& rules,
                                     const std::string& new_text) {
  std::vector<TextMatch> matches;
  for (const size_t at : find_all(mapped.text, needle, rules)) {
    const size_t begin = mapped.begin[at];
    size_t end = mapped.end[at + needle.size() - 1];
    const size_t after = at + needle.size();
    if (rules.takes_line_end && after < mapped.text.size()) end = mapped.end[after];
    matches.push_back({begin, end, with_line_ends_of(file, begin, end, new_text)});
  }
  return matches;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::vector<TextMatch> match_trailing_space(std::string_view file, std::string_view old_text,
                                            const std::string& new_text, Rules rules) {
  const MappedText mapped = make_uniform(file, {.trim_lines = true});
  const std::string needle = make_uniform(old_text, {.trim_lines = true}).text;
  // Blanks that end `old` say that its last line ends there.
  rules.at_line_end = rules.at_line_end || is_blank(old_text.back());
  rules.at_word_ends = true;
  rules.takes_line_end = rules.takes_line_end || (rules.at_line_end && new_text.empty());
  return match_uniform(file, mapped, needle, rules, new_text);
}

std::vector<TextMatch> match_outer_blank_lines(std::string_view file, std::string_view old_text,
                                               std::string new_text, Rules rules) {
  std::string needle = make_uniform(old_text, {.trim_lines = true}).text;
  const size_t first = needle.find_first_not_of('\n');
  if (first == std::string::npos) return {};
  const size_t last = needle.find_last_not_of('\n') + 1;
  const size_t ending = needle.size() - last;
  if (first == 0 && ending == 0) return {};
  needle = needle.substr(first, last - first);
  for (size_t count = 0; count < first; ++count) {
    const size_t text = new_text.find_first_not_of(" \t");
    if (text == std::string::npos || new_text[text] != '\n') break;
    new_text.erase(0, text + 1);
  }
  for (size_t count = 0; count < ending && new_text.ends_with('\n'); ++count) new_text.pop_back();
  const MappedText mapped = make_uniform(file, {.trim_lines = true});
  rules.at_line_start = rules.at_line_start || first > 0;
  rules.at_line_end = rules.at_line_end || ending > 0;
  rules.at_word_ends = true;
  rules.takes_line_end = rules.takes_line_end || (rules.at_line_end && new_text.empty());
  return match_uniform(file, mapped, needle, rules, new_text);
}

// The first four levels; also what is left to do once a slip of another kind is undone.
MatchResult match_plain(std::string_view file, std::string_view old_text, std::string_view new_text,
                        const Rules& rules) {
  if (old_text.empty()) return {};
  std::vector<TextMatch> found = match_exact(file, old_text, new_text, rules);
  if (!found.empty()) return {kExact, std::move(found)};
  if (file.size() > kLooseFileBytesMax) return {};
  const std::string old_uniform = uniform_text(old_text);
  const std::string new_uniform = uniform_text(new_text);
  if (old_uniform.empty()) return {};
  found = match_uniform(file, make_uniform(file, {}), old_uniform, rules, new_uniform);
  if (!found.empty()) return {kLineEnds, std::move(found)};
  found = match_trailing_space(file, old_uniform, new_uniform, rules);
  if (!found.empty()) return {kTrailingSpace, std::move(found)};
  found = match_outer_blank_lines(file, old_uniform, new_uniform, rules);
  if (!found.empty()) return {kOuterBlankLines, std::move(found)};
  return {};
}

// Size of the prefix `{number}<TAB>` that `read` shows, and its number; 0 without one.
size_t line_number_prefix(std::string_view line, size_t& number) {
  const size_t first = std::min(line.find_first_not_of(' '), line.size());
  const size_t tab = std::min(line.find_first_not_of("0123456789", first), line.size());
  const size_t digits = tab - first;
  if (digits == 0 || digits > 9 || tab == line.size() || line[tab] != '\t') return 0;
  number = std::stoul(std::string(line.substr(first, digits)));
  return tab + 1;
}

// A text without the prefixes of its lines.
struct Unnumbered {
  std::string text;
  size_t with = 0;  // Lines that had one, and that had none (but for blank ones at the end).
  size_t without = 0;
  bool consecutive = true;
};

Unnumbered strip_line_numbers(std::string_view text) {
  Unnumbered result;
  size_t before = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    size_t number = 0;
    const size_t prefix = line_number_prefix(line, number);
    ++(prefix > 0 ? result.with : result.without);
    if (result.with > 1 && prefix > 0 && number != before + 1) result.consecutive = false;
    before = number;
    result.text += line.substr(prefix);
    if (end < text.size()) result.text += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

// Numbered lines are whole lines. A new text that is numbered in part is not understood.
MatchResult match_line_numbers(std::string_view file, std::string_view old_text,
                               std::string_view new_text, Rules rules) {
  const Unnumbered old_bare = strip_line_numbers(old_text);
  if (old_bare.with == 0 || old_bare.without > 0 || !old_bare.consecutive) return {};
  const Unnumbered new_bare = strip_line_numbers(new_text);
  if (new_bare.with > 0 && new_bare.without > 0) return {};
  rules.at_line_start = true;
  rules.at_line_end = !old_bare.text.ends_with('\n');
  rules.takes_line_end = rules.takes_line_end || (rules.at_line_end && new_text.empty());
  MatchResult result = match_plain(file, old_bare.text, new_bare.text, rules);
  if (!result.matches.empty()) result.level = kLineNumbers;
  return result;
}

// Writes odd characters of `text` as the file does where it holds what `old` says: a model that
// writes curly quotes for straight ones does so in its new text as well.
std::string as_in_file(std::string text, std::string_view old_text, const MappedText& old,
                       std::string_view file, const MappedText& mapped, size_t at) {
  std::map<std::string, std::string> spelled;
  for (size_t index = 0; index < old.text.size(); ++index) {
    const auto piece = [index](std::string_view bytes, const MappedText& map, size_t from) {
      return std::string(
          bytes.substr(map.begin[from + index], map.end[from + index] - map.begin[from + index]));
    };
    const std::string ours = piece(old_text, old, 0);
    const std::string theirs = piece(file, mapped, at);
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

// Only what differs between `old` and `new` is replaced, so that the file's own quotes and dashes
// stay in the part that the model merely copied.
std::vector<TextMatch> match_odd_characters(std::string_view file, std::string_view old_text,
                                            std::string_view new_text, Rules rules) {
  const MappedText mapped = make_uniform(file, {.trim_lines = true, .fold = true});
  const MappedText old = make_uniform(old_text, {.trim_lines = true, .fold = true});
  const std::string& needle = old.text;
  const MappedText fresh = make_uniform(new_text, {.fold = true});
  const size_t common = std::min(needle.size(), fresh.text.size());
  size_t head = 0;
  while (head < common && needle[head] == fresh.text[head]) ++head;
  size_t tail = 0;
  while (tail < common - head &&
         needle[needle.size() - 1 - tail] == fresh.text[fresh.text.size() - 1 - tail]) {
    ++tail;
  }
  const size_t from = head < fresh.text.size() ? fresh.begin[head] : new_text.size();
  const size_t until = fresh.text.size() > tail ? fresh.end[fresh.text.size() - tail - 1] : from;
  const std::string middle(new_text.substr(from, std::max(from, until) - from));
  rules.at_line_end = rules.at_line_end || is_blank(old_text.back());
  rules.at_word_ends = true;
  std::vector<TextMatch> matches;
  for (const size_t at : find_all(mapped.text, needle, rules)) {
    const size_t begin = head > 0 ? mapped.end[at + head - 1] : mapped.begin[at];
    const size_t kept = needle.size() - tail;
    size_t end = kept > head ? mapped.end[at + kept - 1] : begin;
    if (rules.takes_line_end && end < file.size())
      end = std::min(file.find('\n', end), file.size() - 1) + 1;
    matches.push_back(
        {begin, end,
         with_line_ends_of(file, begin, end, as_in_file(middle, old_text, old, file, mapped, at))});
  }
  return matches;
}

std::string unescaped(std::string_view text) {
  constexpr std::string_view kNames = "nrt\"'\\`";
  constexpr std::string_view kValues = "\n\r\t\"'\\`";
  std::string result;
  for (size_t at = 0; at < text.size(); ++at) {
    const size_t known = text[at] == '\\' && at + 1 < text.size() ? kNames.find(text[at + 1])
                                                                  : std::string_view::npos;
    if (known == std::string_view::npos) {
      result += text[at];
    } else {
      result += kValues[known];
      ++at;
    }
  }
  return result;
}

MatchResult match_over_escaped(std::string_view file, std::string_view old_text,
                               std::string_view new_text, Rules rules) {
  const std::string old_meant = unescaped(old_text);
  if (old_meant == old_text) return {};
  rules.at_word_ends = true;
  MatchResult result = match_plain(file, old_meant, unescaped(new_text), rules);
  if (!result.matches.empty()) result.level = kOverEscaped;
  return result;
}

}  // namespace

MatchResult find_matches(std::string_view file, std::string_view old_text,
                         std::string_view new_text, Scope scope, bool overlapping) {
  const bool lines = scope == Scope::kWholeLines;
  const std::string old_lines = uniform_text(old_text);
  const std::string new_lines = uniform_text(new_text);
  Rules rules{.at_line_start = lines, .at_line_end = lines, .overlapping = overlapping};
  rules.takes_line_end = lines && new_text.empty();
  if (lines && old_text.ends_with('\n')) old_text.remove_suffix(1);
  if (lines && new_text.ends_with('\n')) new_text.remove_suffix(1);
  MatchResult result = match_plain(file, old_text, new_text, rules);
  if (!result.matches.empty() || file.size() > kLooseFileBytesMax) return result;
  const std::string old_uniform = uniform_text(old_text);
  const std::string new_uniform = uniform_text(new_text);
  if (old_uniform.empty()) return {};
  result = match_line_numbers(file, old_uniform, new_uniform, rules);
  if (!result.matches.empty()) return result;
  result = {kOddCharacters, match_odd_characters(file, old_uniform, new_uniform, rules)};
  if (!result.matches.empty()) return result;
  result = match_over_escaped(file, old_uniform, new_uniform, rules);
  if (!result.matches.empty()) return result;
  result = {kIndentation, match_ignoring_indentation(file, old_lines, new_lines, overlapping)};
  if (!result.matches.empty()) return result;
  result = {kSpacing, match_ignoring_spacing(file, old_lines, new_lines, overlapping)};
  if (!result.matches.empty() || lines) return result;
  result = {kElision, match_with_elision(file, old_uniform, new_uniform)};
  if (!result.matches.empty()) return result;
  return {};
}

std::string_view level_name(int level) {
  constexpr std::array<std::string_view, 11> kNames = {
      "",
      "exactly",
      "ignoring line ends",
      "ignoring trailing space",
      "ignoring blank lines around it",
      "ignoring line numbers",
      "ignoring kinds of quotes, dashes and spaces",
      "after unescaping",
      "ignoring indentation",
      "ignoring spacing",
      "with ... standing for lines of the file",
  };
  return kNames[static_cast<size_t>(level)];
}

}  // namespace levin::tools
