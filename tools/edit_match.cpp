#include "tools/edit_match.h"

#include <algorithm>
#include <array>

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

// Where a match must stand besides being equal.
struct Borders {
  bool at_line_start = false;
  bool at_line_end = false;
};

std::vector<size_t> find_all(std::string_view text, std::string_view needle, Borders borders) {
  std::vector<size_t> places;
  if (needle.empty()) return places;
  size_t at = text.find(needle);
  while (at != std::string_view::npos) {
    const size_t after = at + needle.size();
    const bool starts = !borders.at_line_start || at == 0 || text[at - 1] == '\n';
    const bool ends = !borders.at_line_end || after == text.size() || text[after] == '\n';
    if (starts && ends) places.push_back(at);
    at = text.find(needle, starts && ends ? after : at + 1);
  }
  return places;
}

std::vector<TextMatch> match_exact(std::string_view file, std::string_view old_text,
                                   std::string_view new_text) {
  std::vector<TextMatch> matches;
  for (const size_t at : find_all(file, old_text, {})) {
    const size_t end = at + old_text.size();
    matches.push_back({at, end, with_line_ends_of(file, at, end, std::string(new_text))});
  }
  return matches;
}

std::vector<TextMatch> match_uniform(std::string_view file, const MappedText& mapped,
                                     std::string_view needle, Borders borders,
                                     const std::string& new_text) {
  std::vector<TextMatch> matches;
  for (const size_t at : find_all(mapped.text, needle, borders)) {
    const size_t begin = mapped.begin[at];
    size_t end = mapped.end[at + needle.size() - 1];
    // Whole lines that go take their line end along.
    const size_t after = at + needle.size();
    if (new_text.empty() && borders.at_line_end && after < mapped.text.size())
      end = mapped.end[after];
    matches.push_back({begin, end, with_line_ends_of(file, begin, end, new_text)});
  }
  return matches;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::vector<TextMatch> match_trailing_space(std::string_view file, std::string_view old_text,
                                            const std::string& new_text) {
  const MappedText mapped = make_uniform(file, {.trim_lines = true});
  const std::string needle = make_uniform(old_text, {.trim_lines = true}).text;
  // Blanks that end `old` say that its last line ends there.
  return match_uniform(file, mapped, needle, {.at_line_end = is_blank(old_text.back())}, new_text);
}

std::vector<TextMatch> match_outer_blank_lines(std::string_view file, std::string_view old_text,
                                               std::string new_text) {
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
  return match_uniform(file, mapped, needle,
                       {.at_line_start = first > 0, .at_line_end = ending > 0}, new_text);
}

// The first four levels; also what is left to do once a slip of another kind is undone.
MatchResult match_plain(std::string_view file, std::string_view old_text,
                        std::string_view new_text) {
  if (old_text.empty()) return {};
  if (std::vector<TextMatch> found = match_exact(file, old_text, new_text); !found.empty()) {
    return {kExact, std::move(found)};
  }
  if (file.size() > kLooseFileBytesMax) return {};
  const std::string old_uniform = uniform_text(old_text);
  const std::string new_uniform = uniform_text(new_text);
  if (old_uniform.empty()) return {};
  std::vector<TextMatch> found =
      match_uniform(file, make_uniform(file, {}), old_uniform, {}, new_uniform);
  if (!found.empty()) return {kLineEnds, std::move(found)};
  found = match_trailing_space(file, old_uniform, new_uniform);
  if (!found.empty()) return {kTrailingSpace, std::move(found)};
  found = match_outer_blank_lines(file, old_uniform, new_uniform);
  if (!found.empty()) return {kOuterBlankLines, std::move(found)};
  return {};
}

// Takes `{number}<TAB>` off every line; false when a line lacks it (the last, empty one may).
bool strip_line_numbers(std::string_view text, std::string& result) {
  result.clear();
  size_t number_before = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
    if (digits == 0 || digits > 9 || digits == line.size() || line[digits] != '\t') return false;
    const size_t number = std::stoul(std::string(line.substr(0, digits)));
    if (number_before != 0 && number != number_before + 1) return false;
    number_before = number;
    result += line.substr(digits + 1);
    if (end < text.size()) result += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return number_before != 0;
}

MatchResult match_line_numbers(std::string_view file, std::string_view old_text,
                               std::string_view new_text) {
  std::string old_bare;
  std::string new_bare;
  if (!strip_line_numbers(old_text, old_bare)) return {};
  if (!strip_line_numbers(new_text, new_bare)) new_bare = new_text;
  MatchResult result = match_plain(file, old_bare, new_bare);
  if (!result.matches.empty()) result.level = kLineNumbers;
  return result;
}

// Only what differs between `old` and `new` is replaced, so that the file's own quotes and dashes
// stay in the part that the model merely copied.
std::vector<TextMatch> match_odd_characters(std::string_view file, std::string_view old_text,
                                            std::string_view new_text) {
  const MappedText mapped = make_uniform(file, {.trim_lines = true, .fold = true});
  const std::string needle = make_uniform(old_text, {.trim_lines = true, .fold = true}).text;
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
  std::vector<TextMatch> matches;
  for (const size_t at :
       find_all(mapped.text, needle, {.at_line_end = is_blank(old_text.back())})) {
    const size_t begin = head > 0 ? mapped.end[at + head - 1] : mapped.begin[at];
    const size_t kept = needle.size() - tail;
    const size_t end = kept > head ? mapped.end[at + kept - 1] : begin;
    matches.push_back({begin, end, with_line_ends_of(file, begin, end, middle)});
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
                               std::string_view new_text) {
  const std::string old_meant = unescaped(old_text);
  if (old_meant == old_text) return {};
  MatchResult result = match_plain(file, old_meant, unescaped(new_text));
  if (!result.matches.empty()) result.level = kOverEscaped;
  return result;
}

}  // namespace

MatchResult find_matches(std::string_view file, std::string_view old_text,
                         std::string_view new_text) {
  MatchResult result = match_plain(file, old_text, new_text);
  if (!result.matches.empty() || file.size() > kLooseFileBytesMax) return result;
  const std::string old_uniform = uniform_text(old_text);
  const std::string new_uniform = uniform_text(new_text);
  result = match_line_numbers(file, old_uniform, new_uniform);
  if (!result.matches.empty()) return result;
  result = {kOddCharacters, match_odd_characters(file, old_uniform, new_uniform)};
  if (!result.matches.empty()) return result;
  result = match_over_escaped(file, old_uniform, new_uniform);
  if (!result.matches.empty()) return result;
  result = {kIndentation, match_ignoring_indentation(file, old_uniform, new_uniform)};
  if (!result.matches.empty()) return result;
  result = {kSpacing, match_ignoring_spacing(file, old_uniform, new_uniform)};
  if (!result.matches.empty()) return result;
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
