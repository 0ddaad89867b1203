#include "tools/edit_apply.h"

#include <algorithm>

#include "tools/closest.h"
#include "tools/edit_match.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kManyLinesMax = 100;  // Line numbers named in E_MANY.
constexpr size_t kLinesBeforeClosest = 4;
constexpr int kBesidePercent = 10;
constexpr int kAlikePercent = 60;  // Less, and two texts have nothing to do with each other.

std::string line_range(std::string_view content, size_t begin, size_t end) {
  const size_t first = line_number_at(content, begin);
  const size_t last = line_number_at(content, std::max(begin + 1, end) - 1);
  return first == last ? "line " + std::to_string(first)
                       : "lines " + std::to_string(first) + '-' + std::to_string(last);
}

bool is_word(char c) {
  return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// Where a text that is not only white space occurs, when that is once and not as a part of words.
std::optional<size_t> only_place(std::string_view content, std::string_view text) {
  if (stripped(text).empty()) return std::nullopt;
  const size_t at = content.find(text);
  if (at == std::string_view::npos) return std::nullopt;
  if (content.find(text, at + text.size()) != std::string_view::npos) return std::nullopt;
  if (at > 0 && is_word(content[at - 1]) && is_word(text.front())) return std::nullopt;
  const size_t after = at + text.size();
  if (after < content.size() && is_word(content[after]) && is_word(text.back()))
    return std::nullopt;
  return at;
}

// Whether the text at `done`, which is an edit's new one, stands where its old one would: the file
// has nothing that is more like `old`, or what is most like it lies inside. Else `old` is invented,
// or was copied badly from another place.
bool is_in_place(std::string_view content, const Edit& edit, size_t done) {
  const ClosestText closest = closest_text(content, edit.old_text);
  if (closest.percent < 0) return false;
  const std::vector<std::string_view> lines = lines_of(content);
  const std::string_view first = stripped(lines[closest.first_line - 1]);
  const std::string_view last = stripped(lines[closest.last_line - 1]);
  const char* const begin = content.data() + done;
  const char* const end = begin + edit.new_text.size();
  const bool is_inside = first.data() >= begin && last.data() + last.size() <= end;
  if (is_inside) return closest.percent >= kAlikePercent;
  const int percent = likeness(edit.old_text, edit.new_text);
  // Whole lines beside it may be a little more like `old` than the new text alone.
  const bool is_beside = first.data() < end && last.data() + last.size() > begin;
  return percent >= kAlikePercent && percent + (is_beside ? kBesidePercent : 0) >= closest.percent;
}

// Looks one edit up; appends its spans, or returns the E_ text.
std::string look_up(std::string_view content, const Edit& edit, size_t index, std::string_view path,
                    std::vector<Span>& spans, int& level) {
  if (edit.old_text == edit.new_text) return "E_SAME old and new are equal; file unchanged.";
  if (edit.old_text.empty()) return "E_ARGS edit: old is empty. Use write.";
  MatchResult result =
      find_matches(content, edit.old_text, edit.new_text,
                   edit.whole_lines ? Scope::kWholeLines : Scope::kAnywhere, !edit.all);
  level = result.level;
  if (level != kExact) {
    std::optional<size_t> done = only_place(content, edit.new_text);
    // A forgiving match that lies inside the new text is what an earlier edit left there.
    const bool covered = done && result.matches.size() == 1 && *done <= result.matches[0].begin &&
                         result.matches[0].end <= *done + edit.new_text.size();
    if (done && result.matches.empty() && !is_in_place(content, edit, *done)) done.reset();
    if (done && (covered || result.matches.empty())) return done_text(content, *done);
    if (result.matches.empty()) return no_match_text(content, edit.old_text, path);
    const TextMatch& first = result.matches.front();
    if (content.substr(first.begin, first.end - first.begin) == first.replacement) {
      return done_text(content, first.begin);
    }
  }
  const bool may_repeat = edit.all && level != kElision;
  if (result.matches.size() > 1 && !may_repeat) {
    std::vector<size_t> places;
    for (const TextMatch& match : result.matches) places.push_back(match.begin);
    return many_text(content, places, path);
  }
  for (TextMatch& match : result.matches) {
    spans.push_back({match.begin, match.end, std::move(match.replacement), index});
  }
  return "";
}

// Empty when no two spans share a byte or a place of insertion. `spans` is sorted.
std::string overlap_text(std::string_view content, const std::vector<Span>& spans,
                         std::string_view path) {
  for (size_t index = 1; index < spans.size(); ++index) {
    const Span& a = spans[index - 1];
    const Span& b = spans[index];
    if (b.begin >= a.end && b.begin != a.begin) continue;
    const Span& first = a.edit <= b.edit ? a : b;
    const Span& second = a.edit <= b.edit ? b : a;
    return "E_OVERLAP " + std::string(path) + ": edit " + std::to_string(first.edit + 1) + " (" +
           line_range(content, first.begin, first.end) + ") and edit " +
           std::to_string(second.edit + 1) + " (" + line_range(content, second.begin, second.end) +
           ") overlap; file unchanged. Make them one edit.";
  }
  return "";
}

std::string level_note(const std::vector<int>& levels) {
  std::string note;
  for (size_t index = 0; index < levels.size(); ++index) {
    if (levels[index] <= kExact) continue;
    note += note.empty() ? " (" : "; ";
    if (levels.size() > 1) note += "edit " + std::to_string(index + 1) + ' ';
    note += "matched " + std::string(level_name(levels[index]));
  }
  return note.empty() ? note : note + ')';
}

}  // namespace

std::string done_text(std::string_view content, size_t at) {
  return "E_DONE new text is already at line " + std::to_string(line_number_at(content, at)) +
         "; nothing to do.";
}

std::string no_match_text(std::string_view content, std::string_view old_text,
                          std::string_view path) {
  const std::string head = "E_NO_MATCH " + std::string(path) + ": \"old\" not found. ";
  const ClosestText closest = closest_text(content, old_text);
  if (closest.percent < 0) return head + "The file is empty; use write.";
  const std::vector<std::string_view> lines = lines_of(content);
  const std::vector<std::string_view> shown(
      lines.begin() + static_cast<std::ptrdiff_t>(closest.first_line) - 1,
      lines.begin() + static_cast<std::ptrdiff_t>(closest.last_line));
  const size_t start =
      closest.first_line > kLinesBeforeClosest + 1 ? closest.first_line - kLinesBeforeClosest : 1;
  return head + "Closest text (lines " + std::to_string(closest.first_line) + '-' +
         std::to_string(closest.last_line) + ", " + std::to_string(closest.percent) +
         " % alike):\n" + numbered(shown, closest.first_line) +
         "\nCopy it exactly into old, or use read start=" + std::to_string(start) + '.';
}

std::string many_text(std::string_view content, const std::vector<size_t>& places,
                      std::string_view path) {
  std::string text = "E_MANY " + std::string(path) + ": old matches lines ";
  for (size_t index = 0; index < std::min(places.size(), kManyLinesMax); ++index) {
    if (index > 0) text += ", ";
    text += std::to_string(line_number_at(content, places[index]));
  }
  if (places.size() > kManyLinesMax) {
    text += " and " + std::to_string(places.size() - kManyLinesMax) + " more";
  }
  return text + ". Add a neighbouring line, or set all=true.";
}

std::string edit_result_text(std::string_view after,
                             const std::vector<std::pair<size_t, size_t>>& spans, size_t edit_count,
                             std::string_view path, std::string_view note) {
  std::string text = "ok: " + std::to_string(edit_count) + (edit_count == 1 ? " edit" : " edits") +
                     " in " + std::string(path) + std::string(note);
  const std::vector<std::string_view> lines = lines_of(after);
  size_t shown_until = 0;  // The last line looked at, so that each appears once, in order.
  size_t left_out = 0;
  for (const auto& [begin, end] : spans) {
    const size_t first = line_number_at(after, begin);
    const size_t last = line_number_at(after, std::max(begin + 1, end) - 1);
    const size_t from = std::max(first > 1 ? first - 1 : 1, shown_until + 1);
    const size_t until = std::min(last + 1, lines.size());
    for (size_t number = from; number <= until; ++number) {
      if (text.size() > kShownEditBytesMax) {
        ++left_out;
      } else {
        text += '\n' + std::to_string(number) + '\t' + shown_line(lines[number - 1]);
      }
    }
    shown_until = std::max(shown_until, until);
  }
  if (left_out > 0) text += "\n... " + std::to_string(left_out) + " more changed lines ...";
  return text;
}

EditOutcome apply_edits(std::string_view content, const std::vector<Edit>& edits,
                        std::string_view path) {
  std::vector<Span> spans;
  std::vector<int> levels(edits.size(), kNoMatch);
  for (size_t index = 0; index < edits.size(); ++index) {
    std::string problem = look_up(content, edits[index], index, path, spans, levels[index]);
    if (!problem.empty()) return {std::nullopt, std::move(problem)};
  }
  return apply_spans(content, std::move(spans), levels, path);
}

EditOutcome apply_spans(std::string_view content, std::vector<Span> spans,
                        const std::vector<int>& levels, std::string_view path) {
  std::stable_sort(spans.begin(), spans.end(),
                   [](const Span& a, const Span& b) { return a.begin < b.begin; });
  if (std::string problem = overlap_text(content, spans, path); !problem.empty()) {
    return {std::nullopt, std::move(problem)};
  }
  std::string after;
  std::vector<std::pair<size_t, size_t>> written;
  size_t copied = 0;
  for (const Span& span : spans) {
    after += content.substr(copied, span.begin - copied);
    written.emplace_back(after.size(), after.size() + span.replacement.size());
    after += span.replacement;
    copied = span.end;
  }
  after += content.substr(copied);
  std::string text = edit_result_text(after, written, levels.size(), path, level_note(levels));
  return {std::move(after), std::move(text)};
}

}  // namespace levin::tools
