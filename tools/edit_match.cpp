#include "tools/edit_match.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "tools/edit_lines.h"
#include "tools/edit_uniform.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

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

std::vector<TextMatch> match_folded(std::string_view file, std::string_view old_text,
                                    std::string_view new_text, Rules rules) {
  const OddCharacters odd(file, old_text, new_text);
  rules.at_line_end = rules.at_line_end || is_blank(old_text.back());
  rules.at_word_ends = true;
  std::vector<TextMatch> matches;
  for (const size_t at : find_all(odd.file_text(), odd.needle(), rules)) {
    matches.push_back(odd.match_at(at, rules.takes_line_end));
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

// Whether `old` is a line without its indentation and all lines of `new` are written so, which the
// exact match would put at the wrong depth. A blank line, or one as deep as the file's, says that
// `new` counts from the margin.
bool lacks_indentation(std::string_view file, const TextMatch& match, std::string_view old_text,
                       std::string_view new_text) {
  const size_t line = match.begin == 0 ? 0 : file.rfind('\n', match.begin - 1) + 1;
  const std::string_view indent = file.substr(line, match.begin - line);
  if (indent.empty() || indent.find_first_not_of(" \t") != std::string_view::npos) return false;
  if (is_blank(old_text.front()) || old_text.find('\n') != std::string_view::npos) return false;
  if (match.end < file.size() && line_end_size(file, match.end) == 0) return false;
  const std::vector<std::string_view> lines = lines_of(new_text);
  if (lines.size() < 2 || new_text.ends_with('\n')) return false;
  size_t least = std::string_view::npos;
  for (const std::string_view one : lines) {
    const size_t depth = one.find_first_not_of(" \t");
    if (depth == std::string_view::npos || depth >= indent.size()) return false;
    if (one.data() != new_text.data()) least = std::min(least, depth);
  }
  return least == 0;
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
  if (result.matches.size() == 1 && !lines && file.size() <= kLooseFileBytesMax &&
      lacks_indentation(file, result.matches[0], old_text, new_text)) {
    MatchResult deeper{kIndentation,
                       match_ignoring_indentation(file, old_lines, new_lines, overlapping)};
    if (deeper.matches.size() == 1) return deeper;
  }
  if (!result.matches.empty() || file.size() > kLooseFileBytesMax) return result;
  const std::string old_uniform = uniform_text(old_text);
  const std::string new_uniform = uniform_text(new_text);
  if (old_uniform.empty()) return {};
  result = match_line_numbers(file, old_uniform, new_uniform, rules);
  if (!result.matches.empty()) return result;
  result = {kOddCharacters, match_folded(file, old_uniform, new_uniform, rules)};
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
