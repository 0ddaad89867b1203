#include "agent/unified_diff.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace levin::agent {
namespace {

// Bounds the memory of the trace, (kDistanceMax + 1)^2 numbers, to 16 MB.
constexpr int kDistanceMax = 2000;

enum class Kind { kSame, kRemoved, kAdded };

struct Step {
  Kind kind;
  size_t before;  // Index of the line in the old text; for kAdded, where it comes.
  size_t after;   // The same in the new text.
};

// Lines with their newline, so that a missing final one makes a difference.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    const size_t size = newline == std::string_view::npos ? text.size() : newline + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

using Lines = std::vector<std::string_view>;

// Myers' greedy search: for each distance, how far each diagonal reaches in `a`; then back again.
class ShortestEdit {
 public:
  ShortestEdit(const Lines& a, const Lines& b, size_t first, size_t a_end, size_t b_end)
      : a_(a),
        b_(b),
        first_(first),
        a_size_(signed_size(a_end - first)),
        b_size_(signed_size(b_end - first)) {}

  // False when the distance is above kDistanceMax.
  bool find() {
    const int limit = std::min(kDistanceMax, a_size_ + b_size_);
    for (int distance = 0; distance <= limit; ++distance) {
      std::vector<int>& reach = reach_.emplace_back(static_cast<size_t>(distance) + 1);
      for (int diagonal = -distance; diagonal <= distance; diagonal += 2) {
        int x = distance == 0 ? 0 : start_of(distance, diagonal);
        while (x < a_size_ && x - diagonal < b_size_ && line_a(x) == line_b(x - diagonal)) ++x;
        reach[slot(distance, diagonal)] = x;
        if (x >= a_size_ && x - diagonal >= b_size_) return true;
      }
    }
    return false;
  }

  void append_steps(std::vector<Step>& steps) const {
    std::vector<Step> reversed;
    int x = a_size_;
    int y = b_size_;
    for (int distance = signed_size(reach_.size()) - 1; distance > 0; --distance) {
      const int diagonal = x - y;
      const bool down = goes_down(distance, diagonal);
      const int start = start_of(distance, diagonal);
      while (x > start) push(reversed, Kind::kSame, --x, --y);
      if (down) {
        push(reversed, Kind::kAdded, x, --y);
      } else {
        push(reversed, Kind::kRemoved, --x, y);
      }
    }
    while (x > 0) push(reversed, Kind::kSame, --x, --y);
    steps.insert(steps.end(), reversed.rbegin(), reversed.rend());
  }

 private:
  static int signed_size(size_t size) { return static_cast<int>(size); }
  // Only every second diagonal is reached at a distance.
  static size_t slot(int distance, int diagonal) {
    return static_cast<size_t>((diagonal + distance) / 2);
  }

  int reached(int distance, int diagonal) const {
    return reach_[static_cast<size_t>(distance)][slot(distance, diagonal)];
  }

  bool goes_down(int distance, int diagonal) const {
    if (diagonal == -distance) return true;
    if (diagonal == distance) return false;
    return reached(distance - 1, diagonal - 1) < reached(distance - 1, diagonal + 1);
  }

  int start_of(int distance, int diagonal) const {
    return goes_down(distance, diagonal) ? reached(distance - 1, diagonal + 1)
                                         : reached(distance - 1, diagonal - 1) + 1;
  }

  void push(std::vector<Step>& steps, Kind kind, int x, int y) const {
    steps.push_back({kind, first_ + static_cast<size_t>(x), first_ + static_cast<size_t>(y)});
  }

  std::string_view line_a(int x) const { return a_[first_ + static_cast<size_t>(x)]; }
  std::string_view line_b(int y) const { return b_[first_ + static_cast<size_t>(y)]; }

  const Lines& a_;
  const Lines& b_;
  size_t first_;
  int a_size_;
  int b_size_;
  std::vector<std::vector<int>> reach_;
};

std::vector<Step> steps_between(const Lines& a, const Lines& b) {
  size_t first = 0;
  while (first < std::min(a.size(), b.size()) && a[first] == b[first]) ++first;
  size_t a_end = a.size();
  size_t b_end = b.size();
  while (a_end > first && b_end > first && a[a_end - 1] == b[b_end - 1]) {
    --a_end;
    --b_end;
  }
  std::vector<Step> steps;
  for (size_t index = 0; index < first; ++index) steps.push_back({Kind::kSame, index, index});
  ShortestEdit edit(a, b, first, a_end, b_end);
  if (edit.find()) {
    edit.append_steps(steps);
  } else {
    for (size_t index = first; index < a_end; ++index)
      steps.push_back({Kind::kRemoved, index, first});
    for (size_t index = first; index < b_end; ++index)
      steps.push_back({Kind::kAdded, a_end, index});
  }
  for (size_t index = 0; a_end + index < a.size(); ++index) {
    steps.push_back({Kind::kSame, a_end + index, b_end + index});
  }
  return steps;
}

// `{first},{count}`: the count is left out when 1; an empty side names the line before it.
std::string range(size_t first, size_t count) {
  if (count == 0) return std::to_string(first) + ",0";
  return std::to_string(first + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

std::string hunk(const std::vector<Step>& steps, size_t from, size_t until, const Lines& a,
                 const Lines& b) {
  size_t a_count = 0;
  size_t b_count = 0;
  std::string body;
  for (size_t index = from; index < until; ++index) {
    const Step& step = steps[index];
    const bool added = step.kind == Kind::kAdded;
    a_count += added ? 0 : 1;
    b_count += step.kind == Kind::kRemoved ? 0 : 1;
    const std::string_view line = added ? b[step.after] : a[step.before];
    body += added ? '+' : step.kind == Kind::kRemoved ? '-' : ' ';
    body += line;
    if (!line.ends_with('\n')) body += "\n\\ No newline at end of file\n";
  }
  return "@@ -" + range(steps[from].before, a_count) + " +" + range(steps[from].after, b_count) +
         " @@\n" + body;
}

}  // namespace

std::string unified_diff(std::string_view path, std::string_view before, std::string_view after,
                         int context_lines) {
  if (before == after) return "";
  const Lines a = split(before);
  const Lines b = split(after);
  const std::vector<Step> steps = steps_between(a, b);
  const auto context = static_cast<size_t>(std::max(0, context_lines));
  std::string text = "--- a/" + std::string(path) + "\n+++ b/" + std::string(path) + "\n";
  size_t at = 0;
  while (at < steps.size()) {
    if (steps[at].kind == Kind::kSame) {
      ++at;
      continue;
    }
    // A hunk goes on while the next change is near enough for the contexts to touch.
    const size_t from = at - std::min(at, context);
    size_t last = at;
    for (size_t index = at; index < steps.size() && index <= last + 2 * context + 1; ++index) {
      if (steps[index].kind != Kind::kSame) last = index;
    }
    const size_t until = std::min(steps.size(), last + 1 + context);
    text += hunk(steps, from, until, a, b);
    at = until;
  }
  return text;
}

}  // namespace levin::agent
