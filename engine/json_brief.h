// JSON in error messages: short, ASCII, and safe for any depth. json::dump() and copying recurse,
// so a hostile file of a million '[' would end the stack; nothing here goes deeper than one level.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace levin::engine {

// Scalars and short flat lists as they are, else "a list of 3", "an object of 2". At most 80 bytes.
inline std::string json_brief(const nlohmann::json& value) {
  const auto is_nested = [](const nlohmann::json& item) { return item.is_structured(); };
  if (value.is_object()) return "an object of " + std::to_string(value.size());
  if (value.is_array() &&
      (value.size() > 8 || std::any_of(value.begin(), value.end(), is_nested))) {
    return "a list of " + std::to_string(value.size());
  }
  return value.dump(-1, ' ', /*ensure_ascii=*/true).substr(0, 80);
}

}  // namespace levin::engine
