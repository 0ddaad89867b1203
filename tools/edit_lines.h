// The levels of edit_match.h that compare whole lines. Private to tools/.
#pragma once

#include <string>
#include <string_view>

#include "tools/edit_match.h"

namespace levin::tools {

// `old_text` and `new_text` have '\n' line ends. The levels kIndentation, kSpacing, kElision.
std::vector<TextMatch> match_ignoring_indentation(std::string_view file, std::string_view old_text,
                                                  std::string_view new_text, bool overlapping);
std::vector<TextMatch> match_ignoring_spacing(std::string_view file, std::string_view old_text,
                                              std::string_view new_text, bool overlapping);
std::vector<TextMatch> match_with_elision(std::string_view file, std::string_view old_text,
                                          std::string_view new_text);

// `text` with bare newlines as the bytes [begin, end) of `file` end their lines, or as most of the
// file does when that part holds none.
std::string with_line_ends_of(std::string_view file, size_t begin, size_t end, std::string text);

}  // namespace levin::tools
