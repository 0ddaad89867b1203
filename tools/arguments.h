// Checks of a call's arguments, with answers the model can act on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace levin::tools {

inline constexpr size_t kGotBytesMax = 200;  // Of the received value, in an error text.

// Reads the members of one call. The first problem is kept; later reads then give defaults. `null`
// counts as absent; members nobody asks for are ignored.
class Arguments {
 public:
  Arguments(std::string_view tool, std::string_view example, const nlohmann::json& value)
      : tool_(tool), example_(example), value_(value) {}

  std::string text(const char* key);
  std::string text_or(const char* key, std::string fallback);
  // A path: text without NUL bytes.
  std::string path(const char* key);
  int64_t whole_number_or(const char* key, int64_t fallback, int64_t minimum);
  bool flag_or(const char* key, bool fallback);
  // Null with a problem noted when it is missing or not a list with at least one entry.
  const nlohmann::json* list(const char* key);

  // Notes `what` as the problem, unless there is one: `E_ARGS tool: what. Got ... Example: ...`.
  void refuse(const std::string& what);

  bool failed() const { return !problem_.empty(); }
  const std::string& problem() const { return problem_; }

 private:
  const nlohmann::json* member(const char* key) const;
  void refuse_type(const char* key, const char* wanted);

  std::string tool_;
  std::string example_;
  const nlohmann::json& value_;
  std::string problem_;
};

// Compact JSON of `value`, cut at kGotBytesMax.
std::string got_text(const nlohmann::json& value);

// The E_JSON text for a raw argument text that is not JSON; absent when it is.
std::optional<std::string> json_problem_text(std::string_view raw);

}  // namespace levin::tools
