#include "tools/arguments.h"

#include <cmath>

#include "base/utf8.h"
#include "tools/json_scan.h"

namespace levin::tools {

std::string got_text(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > kGotBytesMax) {
    text.resize(utf8_valid_prefix(std::string_view(text).substr(0, kGotBytesMax)));
  }
  return text;
}

std::optional<std::string> json_problem_text(std::string_view raw) {
  const JsonProblem problem = scan_json(raw);
  if (!problem.found) return std::nullopt;
  if (problem.cut) {
    const std::string inside = problem.key.empty() ? "" : " inside \"" + problem.key + "\"";
    return "E_JSON cut off at byte " + std::to_string(problem.position) + inside +
           "; send the call again.";
  }
  return "E_JSON byte " + std::to_string(problem.position + 1) + ": " + problem.what +
         "; send the call again.";
}

const nlohmann::json* Arguments::member(const char* key) const {
  const auto found = value_.find(key);
  return found == value_.end() || found->is_null() ? nullptr : &*found;
}

void Arguments::refuse(const std::string& what) {
  if (failed()) return;
  problem_ =
      "E_ARGS " + tool_ + ": " + what + ". Got " + got_text(value_) + ". Example: " + example_;
}

void Arguments::refuse_type(const char* key, const char* wanted) {
  refuse('"' + std::string(key) + "\" must be " + wanted);
}

std::string Arguments::text(const char* key) {
  if (member(key) == nullptr) {
    refuse("missing \"" + std::string(key) + '"');
    return "";
  }
  return text_or(key, "");
}

std::string Arguments::text_or(const char* key, std::string fallback) {
  const nlohmann::json* const found = member(key);
  if (found == nullptr) return fallback;
  if (const auto* const string = found->get_ptr<const std::string*>()) return *string;
  refuse_type(key, "a string");
  return fallback;
}

std::string Arguments::path(const char* key) {
  std::string path = text(key);
  if (path.find('\0') != std::string::npos) {
    refuse_type(key, "a path without NUL bytes");
    path.clear();
  }
  return path;
}

int64_t Arguments::whole_number_or(const char* key, int64_t fallback, int64_t minimum) {
  const nlohmann::json* const found = member(key);
  if (found == nullptr) return fallback;
  // 2^53: up to here every whole number is exact as a double, and far beyond every limit of ours.
  constexpr double kExactMax = 9007199254740992.0;
  const double value = found->is_number() ? found->get<double>() : 0.5;
  if (value != std::floor(value) || std::abs(value) > kExactMax) {
    refuse_type(key, "a whole number");
    return fallback;
  }
  if (value < static_cast<double>(minimum)) {
    refuse_type(key, ("at least " + std::to_string(minimum)).c_str());
    return fallback;
  }
  return static_cast<int64_t>(value);
}

bool Arguments::flag_or(const char* key, bool fallback) {
  const nlohmann::json* const found = member(key);
  if (found == nullptr) return fallback;
  if (const auto* const flag = found->get_ptr<const bool*>()) return *flag;
  refuse_type(key, "true or false");
  return fallback;
}

const nlohmann::json* Arguments::list(const char* key) {
  const nlohmann::json* const found = member(key);
  if (found == nullptr) {
    refuse("missing \"" + std::string(key) + '"');
    return nullptr;
  }
  if (found->is_array() && !found->empty()) return found;
  refuse_type(key, "a list with at least one entry");
  return nullptr;
}

}  // namespace levin::tools
