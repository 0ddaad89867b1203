// Makes command output fit for a model: clean text, and the middle of a long one left out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace levin::tools {

inline constexpr size_t kHeadLinesMax = 200;
inline constexpr size_t kTailLinesMax = 600;
inline constexpr size_t kHeadBytesMax = 4'000;  // One third to the beginning, two to the end,
inline constexpr size_t kTailBytesMax = 8'000;  // where errors stand.

// Without ANSI escapes; a line redrawn by carriage returns as it was last; broken UTF-8 as U+FFFD;
// no control characters but newline and tab.
std::string clean_output(std::string_view raw);

struct Truncated {
  std::string head;  // All of the text when nothing is left out.
  std::string tail;
  size_t left_out_bytes = 0;
};

// Cuts `text` (valid UTF-8) to the limits above, never inside a character.
Truncated truncate_middle(std::string_view text);

}  // namespace levin::tools
