// Differences between two texts as users read them: unified diff hunks.
#pragma once

#include <string>
#include <string_view>

namespace levin::agent {

// `--- a/{path}`, `+++ b/{path}` and hunks with `context_lines` of context; empty when the texts
// are equal. A text without a final newline is marked as diff(1) does. The shortest set of changes
// is found (Myers 1986) unless the texts differ in thousands of lines; then the differing middle is
// shown as replaced whole, which is still a right diff.
std::string unified_diff(std::string_view path, std::string_view before, std::string_view after,
                         int context_lines = 3);

}  // namespace levin::agent
