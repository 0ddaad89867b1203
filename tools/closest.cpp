#include "tools/closest.h"

#include <algorithm>
#include <array>
#include <bit>

#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kListedFilesMax = 20;
constexpr size_t kPathDistanceMax = 3;

using Histogram = std::array<int64_t, 256>;

void count_bytes(Histogram& histogram, std::string_view bytes, int64_t times) {
  for (const char c : bytes) histogram[static_cast<unsigned char>(c)] += times;
}

int64_t shared(const Histogram& a, const Histogram& b) {
  int64_t sum = 0;
  for (size_t index = 0; index < a.size(); ++index) sum += std::min(a[index], b[index]);
  return sum;
}

std::string joined(const std::vector<std::string_view>& lines, size_t first, size_t count) {
  std::string text;
  for (size_t index = first; index < first + count; ++index) {
    if (index > first) text += '\n';
    text += lines[index];
  }
  return text;
}

std::vector<std::string_view> stripped_lines(std::string_view text) {
  std::vector<std::string_view> lines = lines_of(text);
  for (std::string_view& line : lines) line = stripped(line);
  return lines;
}

struct Window {
  size_t first;
  int bound;  // The likeness cannot be more.
};

// An upper bound for each run of `count` lines, from how often each byte occurs in both.
std::vector<Window> bound_windows(const std::vector<std::string_view>& lines, size_t count,
                                  std::string_view want) {
  std::vector<Window> windows;
  Histogram wanted{};
  Histogram current{};
  count_bytes(wanted, want, 1);
  current['\n'] = static_cast<int64_t>(count) - 1;
  auto size = static_cast<int64_t>(count) - 1;
  for (size_t index = 0; index < lines.size(); ++index) {
    count_bytes(current, lines[index], 1);
    size += static_cast<int64_t>(lines[index].size());
    if (index + 1 < count) continue;
    const size_t first = index + 1 - count;
    const int64_t total = size + static_cast<int64_t>(want.size());
    if (total > 0) {
      windows.push_back({first, static_cast<int>(200 * shared(wanted, current) / total)});
    }
    count_bytes(current, lines[first], -1);
    size -= static_cast<int64_t>(lines[first].size());
  }
  return windows;
}

}  // namespace

// One bit per byte of `a`, a zero where the row of the length table steps up (Hyyro 2004).
size_t common_subsequence(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return 0;
  const size_t words = (a.size() + 63) / 64;
  std::vector<uint64_t> places(256 * words, 0);
  for (size_t index = 0; index < a.size(); ++index) {
    places[static_cast<unsigned char>(a[index]) * words + index / 64] |= uint64_t{1}
                                                                         << (index % 64);
  }
  std::vector<uint64_t> row(words, ~uint64_t{0});
  for (const char c : b) {
    const uint64_t* const match = &places[static_cast<unsigned char>(c) * words];
    uint64_t carry = 0;
    for (size_t word = 0; word < words; ++word) {
      const uint64_t old = row[word];
      const uint64_t hit = old & match[word];
      const uint64_t sum = old + hit;
      const uint64_t with_carry = sum + carry;
      carry = (sum < old ? 1U : 0U) | (with_carry < sum ? 1U : 0U);
      row[word] = with_carry | (old & ~match[word]);
    }
  }
  size_t length = 0;
  for (size_t word = 0; word < words; ++word) {
    uint64_t steps = ~row[word];
    if (word + 1 == words && a.size() % 64 != 0) steps &= (uint64_t{1} << (a.size() % 64)) - 1;
    length += static_cast<size_t>(std::popcount(steps));
  }
  return length;
}

int likeness(std::string_view a, std::string_view b) {
  const auto plain = [](std::string_view text) {
    const std::vector<std::string_view> lines = stripped_lines(text);
    return joined(lines, 0, lines.size());
  };
  const std::string one = plain(a);
  const std::string other = plain(b);
  const size_t total = one.size() + other.size();
  return total == 0 ? 100 : static_cast<int>(200 * common_subsequence(one, other) / total);
}

ClosestText closest_text(std::string_view text, std::string_view old, uint64_t work_max) {
  const std::vector<std::string_view> lines = stripped_lines(text);
  std::vector<std::string_view> wanted = stripped_lines(old);
  if (wanted.empty()) wanted.emplace_back();
  ClosestText best;
  if (lines.empty()) return best;
  const size_t count = std::min(wanted.size(), lines.size());
  const std::string want = joined(wanted, 0, wanted.size());
  std::vector<Window> windows = bound_windows(lines, count, want);
  std::stable_sort(windows.begin(), windows.end(),
                   [](const Window& a, const Window& b) { return a.bound > b.bound; });
  uint64_t work = 0;
  for (const Window& window : windows) {
    if (window.bound < best.percent) break;
    // Only an earlier run may replace an equal one.
    if (window.bound == best.percent && window.first + 1 > best.first_line) continue;
    const std::string run = joined(lines, window.first, count);
    work += (want.size() + 63) / 64 * run.size() + want.size();
    if (work > work_max && best.percent >= 0) break;
    const size_t total = want.size() + run.size();
    const int percent = static_cast<int>(200 * common_subsequence(want, run) / total);
    const bool earlier = window.first + 1 < best.first_line;
    if (percent > best.percent || (percent == best.percent && earlier)) {
      best = {window.first + 1, window.first + count, percent};
    }
  }
  return best;
}

std::string no_path_text(std::string_view path, const std::vector<std::string>& files) {
  const std::u32string asked = code_points(path);
  const auto base_name = [](std::u32string_view whole) {
    return whole.substr(whole.rfind(U'/') + 1);
  };
  const std::string* best = nullptr;
  size_t best_distance = std::min(kPathDistanceMax + 1, asked.size());
  // Two names whose lengths differ by more than the limit need not be compared.
  const auto distance = [&](std::u32string_view a, std::u32string_view b) {
    const size_t gap = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
    return gap >= best_distance ? gap : edit_distance(a, b);
  };
  for (const std::string& file : files) {
    const std::u32string candidate = code_points(file);
    const size_t found =
        std::min(distance(asked, candidate), distance(base_name(asked), base_name(candidate)));
    if (found >= best_distance) continue;
    best_distance = found;
    best = &file;
  }
  std::string text = "E_PATH no " + std::string(path);
  if (best != nullptr) return text + ". Did you mean " + shown_name(*best) + "?";
  text += ". Files: ";
  for (size_t index = 0; index < std::min(files.size(), kListedFilesMax); ++index) {
    if (index > 0) text += ", ";
    text += shown_name(files[index]);
  }
  return text;
}

}  // namespace levin::tools
