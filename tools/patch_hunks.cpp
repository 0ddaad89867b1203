#include "tools/patch_hunks.h"

#include <algorithm>

#include "tools/edit_lines.h"
#include "tools/edit_match.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kPlacesMax = 256;  // Of one hunk; more say nothing new.
constexpr size_t kOrderStepsMax = 20'000;

// The lines of a file with where they begin.
struct Lines {
  std::vector<std::string_view> text;
  std::vector<size_t> begin;

  explicit Lines(std::string_view content) : text(lines_of(content)) {
    for (const std::string_view line : text) {
      begin.push_back(static_cast<size_t>(line.data() - content.data()));
    }
  }
};

size_t indent_size(std::string_view line) {
  return std::min(line.find_first_not_of(" \t"), line.size());
}

// Lines that `anchor` may mean: equal ones, else equal but for outer blanks, else begun by it.
std::vector<size_t> anchor_lines(const Lines& lines, std::string_view anchor) {
  std::vector<size_t> equal;
  std::vector<size_t> begun;
  const std::string_view bare = stripped(anchor);
  for (size_t index = 0; index < lines.text.size(); ++index) {
    const std::string_view line = stripped(lines.text[index]);
    if (line == bare) equal.push_back(index);
    if (line.starts_with(bare)) begun.push_back(index);
  }
  return equal.empty() ? begun : equal;
}

class HunkPlacer {
 public:
  HunkPlacer(std::string_view content, const FileOperation& operation, std::string_view path)
      : content_(content), lines_(content), operation_(operation), path_(path) {}

  EditOutcome apply() {
    for (const PatchHunk& hunk : operation_.hunks) {
      if (!look_up(hunk)) return {std::nullopt, std::move(problem_)};
    }
    if (!choose()) return {std::nullopt, std::move(problem_)};
    std::vector<Span> spans;
    std::vector<int> levels;
    for (size_t index = 0; index < places_.size(); ++index) {
      const TextMatch& match = places_[index][chosen_[index]];
      spans.push_back(span_of(operation_.hunks[index], match, levels_[index], index));
      levels.push_back(levels_[index]);
    }
    return apply_spans(content_, std::move(spans), levels, path_);
  }

 private:
  bool fail(std::string text) {
    problem_ = std::move(text);
    if (operation_.hunks.size() > 1) {
      problem_ += " (hunk " + std::to_string(places_.size() + 1) + " of " +
                  std::to_string(operation_.hunks.size()) + ')';
    }
    return false;
  }

  bool look_up(const PatchHunk& hunk) {
    const std::string old_text = hunk.old_text();
    const std::string new_text = hunk.new_text();
    if (old_text.empty()) return look_up_insertion(hunk);
    MatchResult result = find_matches(content_, old_text, new_text, Scope::kWholeLines, true);
    if (result.matches.empty()) {
      const MatchResult done =
          new_text.empty() ? MatchResult{}
                           : find_matches(content_, new_text, old_text, Scope::kWholeLines, true);
      const bool is_done = done.level == kExact && done.matches.size() == 1;
      return fail(is_done ? done_text(content_, done.matches[0].begin)
                          : no_match_text(content_, old_text, path_));
    }
    if (result.matches.size() > kPlacesMax) result.matches.resize(kPlacesMax);
    std::vector<TextMatch> places = result.matches;
    if (hunk.at_end || hunk.old_lacks_newline || hunk.new_lacks_newline) keep_at_end(places);
    if (!below_anchors(hunk, places)) return false;
    if (places.empty()) {
      return fail("E_NO_MATCH " + std::string(path_) + ": the lines stand at line " +
                  std::to_string(line_number_at(content_, result.matches[0].begin)) +
                  ", not where the patch says (end of the file, or below its @@ line).");
    }
    keep_numbered(hunk, places);
    places_.push_back(std::move(places));
    levels_.push_back(result.level);
    return true;
  }

  // Lines that come without any around them: below the anchor, else at the end of the file.
  bool look_up_insertion(const PatchHunk& hunk) {
    TextMatch match{content_.size(), content_.size(), ""};
    if (operation_.form == FileOperation::Form::kDiff && !content_.empty()) {
      return fail("E_ARGS " + std::string(path_) +
                  ": a hunk that only adds lines needs a line of context; file unchanged.");
    }
    std::string text = hunk.new_text();
    if (!hunk.anchors.empty()) {
      const std::vector<size_t> starts = anchor_chain(hunk);
      if (starts.size() != 1) return fail(anchor_text(hunk, starts));
      const size_t line = starts[0] + 1;
      match.begin = line < lines_.begin.size() ? lines_.begin[line] : content_.size();
      match.end = match.begin;
    }
    if (match.begin == content_.size() && !content_.empty() && !content_.ends_with('\n')) {
      text = '\n' + text;
    }
    match.replacement = with_line_ends_of(content_, match.begin, match.end, std::move(text));
    places_.push_back({match});
    levels_.push_back(kExact);
    return true;
  }

  bool reaches_end(size_t end) const {
    const std::string_view rest = content_.substr(end);
    return rest.empty() || rest == "\n" || rest == "\r\n";
  }

  void keep_at_end(std::vector<TextMatch>& places) const {
    std::erase_if(places, [&](const TextMatch& match) { return !reaches_end(match.end); });
  }

  // Where the last of the anchors stands, each below the one before it.
  std::vector<size_t> anchor_chain(const PatchHunk& hunk) const {
    std::vector<size_t> starts;
    for (size_t index = 0; index < hunk.anchors.size(); ++index) {
      const std::vector<size_t> found = anchor_lines(lines_, hunk.anchors[index]);
      if (index == 0) {
        starts = found;
        continue;
      }
      std::vector<size_t> next;
      for (const size_t start : starts) {
        const auto after = std::upper_bound(found.begin(), found.end(), start);
        if (after != found.end()) next.push_back(*after);
      }
      next.erase(std::unique(next.begin(), next.end()), next.end());
      starts = std::move(next);
    }
    return starts;
  }

  std::string anchor_text(const PatchHunk& hunk, const std::vector<size_t>& starts) const {
    if (starts.empty()) return no_match_text(content_, hunk.anchors.back(), path_);
    std::vector<size_t> places;
    for (const size_t start : starts) places.push_back(lines_.begin[start]);
    return many_text(content_, places, path_);
  }

  // Keeps what the anchors allow: below one, and of several places those in its block.
  bool below_anchors(const PatchHunk& hunk, std::vector<TextMatch>& places) {
    if (hunk.anchors.empty()) return true;
    const std::vector<size_t> starts = anchor_chain(hunk);
    if (starts.empty()) return fail(anchor_text(hunk, starts));
    std::erase_if(
        places, [&](const TextMatch& match) { return match.begin < lines_.begin[starts.front()]; });
    if (places.size() < 2) return true;
    std::vector<TextMatch> kept;
    for (const size_t start : starts) {
      const auto first = std::find_if(places.begin(), places.end(), [&](const TextMatch& match) {
        return match.begin >= lines_.begin[start];
      });
      if (first == places.end() || !in_block(start, first->begin)) continue;
      if (kept.empty() || kept.back().begin != first->begin) kept.push_back(*first);
    }
    if (!kept.empty()) places = std::move(kept);
    return true;
  }

  // Whether all lines between the anchor and the place are deeper than the anchor.
  bool in_block(size_t anchor, size_t begin) const {
    const size_t depth = indent_size(lines_.text[anchor]);
    for (size_t line = anchor + 1; line < lines_.text.size() && lines_.begin[line] < begin;
         ++line) {
      const std::string_view text = lines_.text[line];
      const std::string_view bare = stripped(text);
      if (bare.empty() || bare == "{" || bare.starts_with(')')) continue;
      if (indent_size(text) <= depth) return false;
    }
    return true;
  }

  // A place on the very line that the hunk names is the one.
  void keep_numbered(const PatchHunk& hunk, std::vector<TextMatch>& places) const {
    if (hunk.line == 0 || places.size() < 2) return;
    for (const TextMatch& match : places) {
      if (line_number_at(content_, match.begin) != hunk.line) continue;
      places = {TextMatch(match)};
      return;
    }
  }

  // One place per hunk: the only one, or the only way to place all in their order.
  bool choose() {
    const bool clear = std::all_of(places_.begin(), places_.end(),
                                   [](const auto& places) { return places.size() == 1; });
    chosen_.assign(places_.size(), 0);
    if (clear) return true;
    std::vector<size_t> way;
    try_order(0, way);
    if (ways_ == 1 && steps_ <= kOrderStepsMax) return true;
    for (size_t index = 0; index < places_.size(); ++index) {
      if (places_[index].size() == 1) continue;
      std::vector<size_t> begins;
      for (const TextMatch& match : places_[index]) begins.push_back(match.begin);
      problem_ = many_text(content_, begins, path_);
      return false;
    }
    return false;
  }

  void try_order(size_t from, std::vector<size_t>& way) {
    if (ways_ > 1 || ++steps_ > kOrderStepsMax) return;
    const size_t index = way.size();
    if (index == places_.size()) {
      if (++ways_ == 1) chosen_ = way;
      return;
    }
    for (size_t place = 0; place < places_[index].size(); ++place) {
      if (places_[index][place].begin < from) continue;
      way.push_back(place);
      try_order(std::max(places_[index][place].end, from), way);
      way.pop_back();
    }
  }

  // The match with the file's own bytes in the lines that stay, and its end of file set right.
  Span span_of(const PatchHunk& hunk, const TextMatch& match, int level, size_t index) const {
    Span span{match.begin, match.end, match.replacement, index};
    if (level > kExact) keep_context(hunk, span);
    const bool plus_last = !hunk.lines.empty() && hunk.lines.back().kind == '+';
    const bool diff = operation_.form == FileOperation::Form::kDiff;
    if (hunk.new_lacks_newline && !hunk.old_lacks_newline) {
      span.end = content_.size();
    } else if (span.end == content_.size() && !content_.empty() && !content_.ends_with('\n') &&
               !span.replacement.empty() && !span.replacement.ends_with('\n')) {
      const bool gets_newline =
          diff ? hunk.old_lacks_newline && !hunk.new_lacks_newline : plus_last;
      if (gets_newline) span.replacement += '\n';
    }
    return span;
  }

  std::string line_end_of(std::string_view line, bool at_file_end) const {
    if (line.ends_with('\r')) return "\r\n";
    return at_file_end ? with_line_ends_of(content_, 0, 0, "\n") : "\n";
  }

  void keep_context(const PatchHunk& hunk, Span& span) const {
    const bool at_start = span.begin == 0 || content_[span.begin - 1] == '\n' || span.begin == 3;
    const size_t line_end = std::min(content_.find('\n', span.end), content_.size());
    const std::string_view tail = content_.substr(span.end, line_end - span.end);
    if (!at_start || !stripped(tail).empty()) return;
    // The last line with what follows it in the file: blanks and a carriage return.
    const std::vector<std::string_view> own =
        lines_of(content_.substr(span.begin, line_end - span.begin));
    const std::vector<std::string_view> fresh = lines_of(span.replacement);
    const std::string old_text = hunk.old_text();
    const std::string new_text = hunk.new_text();
    if (lines_of(old_text).size() != own.size() || fresh.empty()) return;
    if (lines_of(new_text).size() != fresh.size()) return;
    std::string text;
    size_t own_at = 0;
    size_t fresh_at = 0;
    for (const PatchLine& line : hunk.lines) {
      if (line.kind == '-') {
        ++own_at;
        continue;
      }
      const bool stays = line.kind == ' ';
      std::string_view bytes = stays ? own[own_at] : fresh[fresh_at];
      const std::string end =
          line_end_of(bytes, fresh_at + 1 == fresh.size() || own_at + 1 >= own.size());
      if (bytes.ends_with('\r')) bytes.remove_suffix(1);
      text += std::string(bytes);
      if (++fresh_at < fresh.size()) text += end;
      if (stays) ++own_at;
    }
    span.replacement = std::move(text);
    // The line end itself stays as it is.
    span.end = line_end - (tail.ends_with('\r') ? 1 : 0);
  }

  std::string_view content_;
  Lines lines_;
  const FileOperation& operation_;
  std::string_view path_;
  std::string problem_;
  std::vector<std::vector<TextMatch>> places_;  // Per hunk.
  std::vector<int> levels_;
  std::vector<size_t> chosen_;
  size_t ways_ = 0;
  size_t steps_ = 0;
};

}  // namespace

EditOutcome apply_hunks(std::string_view content, const FileOperation& operation,
                        std::string_view path) {
  return HunkPlacer(content, operation, path).apply();
}

}  // namespace levin::tools
