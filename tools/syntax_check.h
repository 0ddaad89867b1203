// What an edit breaks: places that its language's grammar cannot read now and could before.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace levin::tools {

inline constexpr size_t kSyntaxErrorsShownMax = 5;
inline constexpr size_t kSyntaxErrorsMax = 1'000;  // Looked at; what follows is one broken file.

struct SyntaxError {
  uint32_t line = 0;  // From 1.
  std::string what;   // `missing ")"`, `unexpected "x ="`.
};

// Errors of `after` that `before` does not have, by line. A file that did not parse before keeps
// its errors to itself: only more of the same kind are new. Empty for unknown languages, for files
// above 1 MiB, and without an index in this build.
std::vector<SyntaxError> new_syntax_errors(std::string_view path, std::string_view before,
                                           std::string_view after);

// Lines to be put behind a tool's result; empty when there are no new errors.
std::string syntax_note(std::string_view path, std::string_view before, std::string_view after);

}  // namespace levin::tools
