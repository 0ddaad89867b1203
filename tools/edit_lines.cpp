#include "tools/edit_lines.h"

#include <algorithm>
#include <map>
#include <optional>

#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr size_t kElisionMatchesMax = 64;  // Enough to say that a text is ambiguous.
constexpr size_t kElisionStepsMax = 100'000;

struct FileLine {
  size_t begin;
  size_t end;             // Without the line end.
  size_t next;            // With it.
  std::string_view text;  // Without '\r'.
};

std::vector<FileLine> file_lines(std::string_view file) {
  std::vector<FileLine> lines;
  size_t at = file.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (at < file.size()) {
    const size_t newline = std::min(file.find('\n', at), file.size());
    size_t end = newline;
    if (end > at && newline < file.size() && file[end - 1] == '\r') --end;
    lines.push_back({at, end, std::min(newline + 1, file.size()), file.substr(at, end - at)});
    at = lines.back().next;
  }
  return lines;
}

std::string_view indent_of(std::string_view line) {
  return line.substr(0, std::min(line.find_first_not_of(kBlanks), line.size()));
}

bool is_blank_line(std::string_view line) {
  return line.find_first_not_of(kBlanks) == std::string_view::npos;
}

std::string_view without_end_blanks(std::string_view line) {
  return line.substr(0, line.find_last_not_of(kBlanks) + 1);
}

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || c == '_' || (c >= '0' && c <= '9') ||
         ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// The line without its outer blanks.
std::string indentation_key(std::string_view line) {
  return std::string(without_end_blanks(line.substr(indent_of(line).size())));
}

// Whether the bytes side by side would be read as one sign: `a + +b` is not `a ++b`.
bool makes_a_sign(char left, char right) {
  constexpr std::string_view kSigns = "++--&&||===><=>=!=+=-=*=/=->://*";
  const char pair[] = {left, right};
  for (size_t at = 0; at + 1 < kSigns.size(); at += 2) {
    if (kSigns.substr(at, 2) == std::string_view(pair, 2)) return true;
  }
  return left == ':' && right == ':';
}

// As above, and a run of blanks is one, or none beside punctuation. Text in quotes is left as it
// is, and so is a line whose quotes do not close: where its texts begin cannot be told.
std::string spacing_key(std::string_view line) {
  std::string key;
  char quote = 0;
  bool blank = false;
  const std::string bare = indentation_key(line);
  for (size_t at = 0; at < bare.size(); ++at) {
    const char c = bare[at];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      blank = true;
      continue;
    }
    if (blank && !key.empty() &&
        ((is_word(c) && is_word(key.back())) || makes_a_sign(key.back(), c))) {
      key += ' ';
    }
    blank = false;
    key += c;
    if (quote != 0 && c == '\\' && at + 1 < bare.size()) {
      key += bare[++at];
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'' || c == '`')) {
      quote = c;
    }
  }
  return quote != 0 ? bare : key;
}

// Which lines begin inside a text that runs over several of them. A mark in a comment may make
// later lines look so: then they are compared more strictly, never less.
std::vector<bool> lines_inside_texts(const std::vector<FileLine>& lines) {
  std::vector<bool> inside;
  std::string_view open;
  for (const FileLine& line : lines) {
    inside.push_back(!open.empty());
    for (size_t at = 0; at < line.text.size();) {
      const std::string_view rest = line.text.substr(at);
      if (rest.front() == '\\') {
        at += 2;
        continue;
      }
      std::string_view mark;
      for (const std::string_view known : {"\"\"\"", "'''", "`"}) {
        if (rest.starts_with(known)) mark = known;
      }
      if (!mark.empty() && open.empty()) {
        open = mark;
      } else if (!mark.empty() && open == mark) {
        open = {};
      }
      at += std::max<size_t>(mark.size(), 1);
    }
  }
  return inside;
}

// A text's lines without the blank ones around them, and how many those were.
struct Core {
  std::vector<std::string_view> lines;
  size_t leading = 0;
  size_t ending = 0;
};

Core core_of(std::string_view text) {
  Core core;
  core.lines = lines_of(text);
  while (!core.lines.empty() && is_blank_line(core.lines.back())) {
    core.lines.pop_back();
    ++core.ending;
  }
  while (core.leading < core.lines.size() && is_blank_line(core.lines[core.leading]))
    ++core.leading;
  core.lines.erase(core.lines.begin(),
                   core.lines.begin() + static_cast<std::ptrdiff_t>(core.leading));
  return core;
}

// Lines of `text` less at most as many outer blank ones as `old` had.
std::vector<std::string_view> new_lines(std::string_view text, const Core& old) {
  std::vector<std::string_view> lines = lines_of(text);
  for (size_t count = 0; count < old.ending && !lines.empty() && is_blank_line(lines.back());
       ++count) {
    lines.pop_back();
  }
  size_t drop = 0;
  while (drop < old.leading && drop < lines.size() && is_blank_line(lines[drop])) ++drop;
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(drop));
  return lines;
}

// The step of indentation used by `lines`: a tab, or the most usual rise in spaces between two of
// them, the smaller among equals.
std::string indent_unit(const std::vector<std::string_view>& lines) {
  std::map<size_t, size_t> rises;
  size_t tabs = 0;
  size_t spaces = 0;
  size_t before = 0;
  for (const std::string_view line : lines) {
    if (is_blank_line(line)) continue;
    const std::string_view indent = indent_of(line);
    if (indent.starts_with('\t')) ++tabs;
    if (indent.starts_with("  ")) ++spaces;
    if (indent.size() > before + 1) ++rises[indent.size() - before];
    before = indent.size();
  }
  if (tabs > 0 && tabs >= spaces) return "\t";
  size_t unit = 0;
  size_t most = 0;
  for (const auto& [rise, count] : rises) {
    if (count > most) unit = rise;
    most = std::max(most, count);
  }
  return std::string(unit, ' ');
}

// Turns indentation as the model wrote it into the file's.
class Reindenter {
 public:
  // Learns from pairs of matched lines. False when one indentation of the model would be two of the
  // file: then its text has another structure, and the match is not sound.
  bool learn(const std::vector<std::string_view>& old_lines, const std::vector<FileLine>& lines,
             size_t first) {
    for (size_t index = 0; index < old_lines.size(); ++index) {
      if (is_blank_line(old_lines[index])) continue;
      const std::string from(indent_of(old_lines[index]));
      const std::string to(indent_of(lines[first + index].text));
      const auto [known, fresh] = pairs_.emplace(from, to);
      if (!fresh && known->second != to) return false;
      if (first_from_.empty() && first_to_.empty() && pairs_.size() == 1) {
        first_from_ = from;
        first_to_ = to;
      }
    }
    return keeps_order();
  }

  void set_units(std::string from, std::string to) {
    unit_from_ = std::move(from);
    unit_to_ = to.empty() ? unit_from_ : std::move(to);
  }

  std::string apply(std::string_view line) const {
    if (is_blank_line(line)) return "";
    const std::string indent(indent_of(line));
    const std::string rest(line.substr(indent.size()));
    if (const auto known = pairs_.find(indent); known != pairs_.end()) return known->second + rest;
    return translated(indent) + rest;
  }

 private:
  // The column where an indentation ends, as terminals show tabs.
  static size_t column_of(std::string_view indent) {
    constexpr size_t kTabColumns = 8;
    size_t column = 0;
    for (const char c : indent) {
      column = c == '\t' ? column - column % kTabColumns + kTabColumns : column + 1;
    }
    return column;
  }

  // Deeper for the model must be deeper in the file.
  bool keeps_order() const {
    for (const auto& [from, to] : pairs_) {
      for (const auto& [other_from, other_to] : pairs_) {
        if (column_of(from) < column_of(other_from) && column_of(to) >= column_of(other_to)) {
          return false;
        }
      }
    }
    return true;
  }

  // Whole steps from the first matched line, in the file's step; what is left over stays as it is.
  std::string translated(const std::string& indent) const {
    if (unit_from_.empty()) {
      return indent.size() >= first_from_.size() ? first_to_ + indent.substr(first_from_.size())
                                                 : indent;
    }
    if (indent.size() < first_from_.size()) {
      const size_t steps = (first_from_.size() - indent.size()) / unit_from_.size();
      const size_t less = std::min(first_to_.size(), steps * unit_to_.size());
      return first_to_.substr(0, first_to_.size() - less);
    }
    const size_t extra = indent.size() - first_from_.size();
    std::string result = first_to_;
    for (size_t step = 0; step < extra / unit_from_.size(); ++step) result += unit_to_;
    return result + std::string(extra % unit_from_.size(), ' ');
  }

  std::map<std::string, std::string> pairs_;
  std::string first_from_;
  std::string first_to_;
  std::string unit_from_;
  std::string unit_to_;
};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (size_t index = 0; index < lines.size(); ++index)
    text += (index > 0 ? "\n" : "") + lines[index];
  return text;
}

struct LineRules {
  std::string (*key)(std::string_view line);
  bool strict_in_texts = false;  // Lines of a text over several lines are compared as they are.
  bool overlapping = false;
};

// Whether the lines from `first` on that lie in a text are the wanted ones, outer blanks aside.
bool texts_equal(const std::vector<std::string_view>& wanted, const std::vector<FileLine>& lines,
                 const std::vector<bool>& inside, size_t first) {
  for (size_t index = 0; index < wanted.size(); ++index) {
    if (inside[first + index] &&
        indentation_key(wanted[index]) != indentation_key(lines[first + index].text)) {
      return false;
    }
  }
  return true;
}

std::vector<TextMatch> match_lines(std::string_view file, std::string_view old_text,
                                   std::string_view new_text, const LineRules& rules) {
  const Core old = core_of(old_text);
  std::vector<std::string> wanted;
  bool has_word = false;  // Lines of brackets alone are everywhere.
  for (const std::string_view line : old.lines) {
    wanted.push_back(rules.key(line));
    has_word = has_word || std::any_of(wanted.back().begin(), wanted.back().end(), is_word);
  }
  const std::vector<FileLine> lines = file_lines(file);
  std::vector<TextMatch> matches;
  if (!has_word || wanted.size() > lines.size()) return matches;
  std::vector<std::string> keys;
  std::vector<std::string_view> texts;
  for (const FileLine& line : lines) {
    keys.push_back(rules.key(line.text));
    texts.push_back(line.text);
  }
  const std::vector<bool> inside =
      rules.strict_in_texts ? lines_inside_texts(lines) : std::vector<bool>(lines.size());
  const std::vector<std::string_view> fresh = new_lines(new_text, old);
  std::vector<std::string_view> written = old.lines;
  written.insert(written.end(), fresh.begin(), fresh.end());
  for (size_t first = 0; first + wanted.size() <= lines.size(); ++first) {
    if (!std::equal(wanted.begin(), wanted.end(),
                    keys.begin() + static_cast<std::ptrdiff_t>(first))) {
      continue;
    }
    if (!texts_equal(old.lines, lines, inside, first)) continue;
    Reindenter reindenter;
    if (!reindenter.learn(old.lines, lines, first)) continue;
    reindenter.set_units(indent_unit(written), indent_unit(texts));
    std::vector<std::string> replaced;
    for (const std::string_view line : fresh) replaced.push_back(reindenter.apply(line));
    const FileLine& last = lines[first + wanted.size() - 1];
    const size_t begin = lines[first].begin;
    const size_t end = fresh.empty() ? last.next : last.end;
    matches.push_back({begin, end, with_line_ends_of(file, begin, end, joined(replaced))});
    if (!rules.overlapping) first += wanted.size() - 1;
  }
  return matches;
}

bool is_elision(std::string_view line) {
  line = stripped(line);
  if (line.starts_with('#')) line.remove_prefix(1);
  if (line.starts_with("//")) line.remove_prefix(2);
  line = stripped(line);
  return line == "..." || line == "\u2026";
}

// Runs of lines between elisions.
std::vector<std::vector<std::string_view>> segments_of(std::string_view text) {
  std::vector<std::vector<std::string_view>> segments(1);
  for (const std::string_view line : core_of(text).lines) {
    if (is_elision(line)) {
      segments.emplace_back();
    } else {
      segments.back().push_back(line);
    }
  }
  return segments;
}

// Chooses a place for each segment in turn and keeps every way that works.
class ElisionSearch {
 public:
  ElisionSearch(const std::vector<FileLine>& lines,
                const std::vector<std::vector<std::string_view>>& segments)
      : lines_(lines), segments_(segments) {}

  std::vector<std::vector<size_t>> run() {
    for (const auto& segment : segments_) {
      std::vector<size_t> places;
      for (size_t first = 0; first + segment.size() <= lines_.size(); ++first) {
        if (stands_at(segment, first)) places.push_back(first);
      }
      places_.push_back(std::move(places));
    }
    choose(0);
    if (steps_ > kElisionStepsMax) found_.clear();  // Not all ways were tried: none can be trusted.
    return found_;
  }

 private:
  bool stands_at(const std::vector<std::string_view>& segment, size_t first) const {
    for (size_t index = 0; index < segment.size(); ++index) {
      if (without_end_blanks(segment[index]) != without_end_blanks(lines_[first + index].text)) {
        return false;
      }
    }
    return true;
  }

  // Whether the lines [from, to) that an elision stands for belong to the block around them: else
  // `def f(): ... return 1` would reach into the next function.
  bool stays_in_block(size_t from, size_t to) const {
    const size_t above = indent_of(lines_[from - 1].text).size();
    const size_t below = indent_of(lines_[to].text).size();
    const size_t least = above > below ? below + 1 : below;
    for (size_t line = from; line < to; ++line) {
      const std::string_view text = lines_[line].text;
      if (!is_blank_line(text) && indent_of(text).size() < least) return false;
    }
    return true;
  }

  void choose(size_t from_line) {
    if (found_.size() >= kElisionMatchesMax || ++steps_ > kElisionStepsMax) return;
    if (chosen_.size() == segments_.size()) {
      found_.push_back(chosen_);
      return;
    }
    const size_t index = chosen_.size();
    for (const size_t place : places_[index]) {
      if (place < from_line || (index > 0 && !stays_in_block(from_line, place))) continue;
      chosen_.push_back(place);
      choose(place + segments_[index].size());
      chosen_.pop_back();
    }
  }

  const std::vector<FileLine>& lines_;
  const std::vector<std::vector<std::string_view>>& segments_;
  std::vector<std::vector<size_t>> places_;
  std::vector<size_t> chosen_;
  std::vector<std::vector<size_t>> found_;
  size_t steps_ = 0;
};

}  // namespace

std::string with_line_ends_of(std::string_view file, size_t begin, size_t end, std::string text) {
  if (text.find('\n') == std::string::npos) return text;
  std::string_view sample = file.substr(begin, end - begin);
  if (sample.find('\n') == std::string_view::npos) sample = file;
  size_t crlf = 0;
  size_t all = 0;
  for (size_t at = sample.find('\n'); at != std::string_view::npos;
       at = sample.find('\n', at + 1)) {
    ++all;
    if (at > 0 && sample[at - 1] == '\r') ++crlf;
  }
  if (2 * crlf <= all) return text;
  std::string result;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n' && (at == 0 || text[at - 1] != '\r')) result += '\r';
    result += text[at];
  }
  return result;
}

std::vector<TextMatch> match_ignoring_indentation(std::string_view file, std::string_view old_text,
                                                  std::string_view new_text, bool overlapping) {
  return match_lines(file, old_text, new_text,
                     {.key = indentation_key, .overlapping = overlapping});
}

std::vector<TextMatch> match_ignoring_spacing(std::string_view file, std::string_view old_text,
                                              std::string_view new_text, bool overlapping) {
  return match_lines(file, old_text, new_text,
                     {.key = spacing_key, .strict_in_texts = true, .overlapping = overlapping});
}

std::vector<TextMatch> match_with_elision(std::string_view file, std::string_view old_text,
                                          std::string_view new_text) {
  constexpr size_t kSegmentsMax = 16;  // Each is a level of the search below.
  const auto old_segments = segments_of(old_text);
  const auto new_segments = segments_of(new_text);
  if (old_segments.size() < 2 || old_segments.size() > kSegmentsMax) return {};
  if (old_segments.size() != new_segments.size()) return {};
  for (const auto& segment : old_segments) {
    if (std::all_of(segment.begin(), segment.end(), is_blank_line)) return {};
  }
  const std::vector<FileLine> lines = file_lines(file);
  std::vector<TextMatch> matches;
  for (const std::vector<size_t>& places : ElisionSearch(lines, old_segments).run()) {
    TextMatch match;
    match.begin = lines[places.front()].begin;
    const size_t last_line = places.back() + old_segments.back().size() - 1;
    match.end = new_segments.back().empty() ? lines[last_line].next : lines[last_line].end;
    for (size_t index = 0; index < places.size(); ++index) {
      std::string text;
      for (const std::string_view line : new_segments[index]) text += std::string(line) + '\n';
      const bool last = index + 1 == places.size();
      if (last && !text.empty()) text.pop_back();
      match.replacement += with_line_ends_of(file, match.begin, match.end, std::move(text));
      if (last) break;
      // The file's own lines stay between the segments, byte for byte.
      const size_t from = lines[places[index] + old_segments[index].size() - 1].next;
      match.replacement += file.substr(from, lines[places[index + 1]].begin - from);
    }
    matches.push_back(std::move(match));
  }
  return matches;
}

}  // namespace levin::tools
