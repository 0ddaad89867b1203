// Where a JSON text stops being one. The parser proper answers only yes or no; the model needs the
// place, and whether its text was wrong or merely cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace levin::tools {

inline constexpr int kJsonDepthMax = 100;

struct JsonProblem {
  bool found = false;
  bool cut = false;     // The text ended too early; nothing in it is wrong.
  size_t position = 0;  // Bytes before the problem.
  std::string key;      // Innermost object member begun there; may be empty.
  std::string what;     // In words; empty when cut.
};

// Checks that `text` is exactly one JSON value (RFC 8259) in valid UTF-8, nested at most
// kJsonDepthMax deep.
JsonProblem scan_json(std::string_view text);

}  // namespace levin::tools
