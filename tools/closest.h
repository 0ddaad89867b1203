// What the model may have meant: the text most like one that was not found, the file most like a
// path that does not exist. Shown, never applied.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace levin::tools {

struct ClosestText {
  size_t first_line = 0;  // From 1; both 0 when the file offers nothing to compare.
  size_t last_line = 0;
  int percent = -1;  // floor(200 * common subsequence / both sizes), of bytes.
};

// Compares `old` with every run of as many lines of `text`, outer white space of lines removed; the
// first among the best. At most `work_max` steps of 64 byte comparisons are spent, on the runs that
// could be best first: only a file or an `old` of megabytes reaches it.
ClosestText closest_text(std::string_view text, std::string_view old,
                         uint64_t work_max = 300'000'000);

// As `percent` above, of two texts.
int likeness(std::string_view a, std::string_view b);

// Length of the longest common subsequence of bytes. O(a.size() * b.size() / 64).
size_t common_subsequence(std::string_view a, std::string_view b);

// The E_PATH text for a file that is not there. `files`: sorted paths.
std::string no_path_text(std::string_view path, const std::vector<std::string>& files);

}  // namespace levin::tools
