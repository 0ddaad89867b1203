// Looks at C++ text without understanding C++: which bytes are code, comment or literal, and how
// long functions are. A heuristic on purpose; it needs no compiler and no build.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace levin::tidy {

// Two views as long as the text, line for line: what does not belong to a view is blanks.
struct Views {
  std::string code;      // Without comments and without what stands between quotes.
  std::string comments;  // The comments alone, without their marks.
};

// Knows line and block comments, strings, raw strings, character literals and digit separators.
Views split(std::string_view text);

struct Function {
  std::string head;  // What stands before the opening brace, on one line.
  size_t line = 0;   // Of the opening brace; the first line is 1.
  size_t lines = 0;  // From the opening to the closing brace, both included.
};

struct Functions {
  std::vector<Function> found;
  bool balanced = true;  // False: braces do not pair up, and `found` can't be trusted.
};

// Function bodies outside other functions; a lambda counts as part of the function around it.
Functions find_functions(std::string_view code);

std::vector<std::string_view> lines_of(std::string_view text);

// Where `word` stands in `code`, not as part of a longer identifier.
std::vector<size_t> find_word(std::string_view code, std::string_view word);

bool is_identifier_character(char c);

}  // namespace levin::tidy
