#include "engine/json_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

namespace levin::engine {
namespace {

using nlohmann::ordered_json;

constexpr int kDepthMax = 256;

// Python's repr of a float: plain digits for 1e-4 <= |value| < 1e16, else an exponent of two digits
// or more.
std::string float_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::array<char, 64> buffer{};
  const auto printed = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                     std::chars_format::scientific);
  const std::string_view scientific(buffer.data(),
                                    static_cast<size_t>(printed.ptr - buffer.data()));
  const size_t mark = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + mark + (scientific[mark + 1] == '+' ? 2 : 1);
  std::from_chars(digits, printed.ptr, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);
  const auto plain =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  std::string text(buffer.data(), plain.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string string_text(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Result<void> append(const ordered_json& value, int depth, std::string& out) {
  if (depth > kDepthMax) {
    return Error(ErrorCode::kLimit, fmt::format("JSON is nested more than {} deep", kDepthMax));
  }
  if (value.is_object()) {
    const char* separator = "{";
    for (const auto& [key, member] : value.items()) {
      out += separator + string_text(key) + ": ";
      TRY(append(member, depth + 1, out));
      separator = ", ";
    }
    out += value.empty() ? "{}" : "}";
  } else if (value.is_array()) {
    const char* separator = "[";
    for (const ordered_json& element : value) {
      out += separator;
      TRY(append(element, depth + 1, out));
      separator = ", ";
    }
    out += value.empty() ? "[]" : "]";
  } else if (value.is_number_float()) {
    out += float_text(value.get<double>());
  } else {
    out += string_text(value);
  }
  return {};
}

}  // namespace

Result<std::string> json_text(const ordered_json& value) {
  std::string out;
  TRY(append(value, 0, out));
  return out;
}

}  // namespace levin::engine
