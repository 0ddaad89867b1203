// Lines of text as the tool results show them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace levin::tools {

inline constexpr size_t kLineBytesMax = 500;  // Longer lines are shown cut.

// Split at '\n'; a final newline ends the last line and does not begin another one.
std::vector<std::string_view> lines_of(std::string_view text);

// Number of newlines in the first `size` bytes, plus one.
size_t line_number_at(std::string_view text, size_t size);

// One line for the model: without a '\r' before its end, broken UTF-8 replaced, long lines cut at a
// character border with `...+k`, k being the bytes left out.
std::string shown_line(std::string_view line);

// A file's name for a listing: as it is, or, where it holds a control character, a quote at its
// start or broken UTF-8, between quotes with C escapes, so that it stays one line and one name.
std::string shown_name(std::string_view name);

// `{number}<TAB>{text}`, joined by newlines.
std::string numbered(const std::vector<std::string_view>& lines, size_t first_number);

// Without the white space (Unicode's too) at both ends.
std::string_view stripped(std::string_view text);

// Decoded for comparing character by character; broken bytes become U+FFFD.
std::u32string code_points(std::string_view text);

// Inserts, deletions and replacements of characters that turn one into the other.
size_t edit_distance(std::u32string_view a, std::u32string_view b);

// A NUL byte near the beginning: git's test for binary files.
bool looks_binary(std::string_view content);

}  // namespace levin::tools
