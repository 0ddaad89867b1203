#include "engine/tokenizer_json.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace levin::engine {
namespace {

using nlohmann::json;

// Sequences inside Sequences; published files have none inside.
constexpr int kSequenceDepthMax = 8;

}  // namespace

Result<json> parse_json(std::string_view text) {
  try {
    return json::parse(text);
  } catch (const json::exception& exception) {
    return Error(ErrorCode::kCorrupt, fmt::format("not valid JSON: {}", exception.what()));
  }
}

const json& member(const json& object, const char* key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

Result<std::string_view> string_member(const json& object, const char* key, std::string_view what) {
  const json& value = member(object, key);
  if (!value.is_string()) {
    return Error(ErrorCode::kCorrupt, fmt::format("{}: \"{}\" should be a string, found {}", what,
                                                  key, value.type_name()));
  }
  return std::string_view(value.get_ref<const std::string&>());
}

Result<bool> bool_member(const json& object, const char* key, bool otherwise,
                         std::string_view what) {
  const json& value = member(object, key);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean()) {
    return Error(ErrorCode::kCorrupt, fmt::format("{}: \"{}\" should be true or false, found {}",
                                                  what, key, value.type_name()));
  }
  return value.get<bool>();
}

int64_t integer_or_minus_one(const json& value) {
  if (!value.is_number_integer()) return -1;
  if (value.is_number_unsigned() &&
      value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return -1;
  }
  return value.get<int64_t>();
}

Result<std::string_view> component_type(const json& description, std::string_view role) {
  if (!description.is_object()) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{}: should be an object, found {}", role, description.type_name()));
  }
  return string_member(description, "type", role);
}

Error unknown_component(std::string_view role, std::string_view type, std::string_view known) {
  return Error(ErrorCode::kUnsupported,
               fmt::format("{} '{}' is not supported; known: {}", role, type, known));
}

Result<const json*> sequence_parts(const json& sequence, const char* key, int depth) {
  if (depth >= kSequenceDepthMax) {
    return Error(ErrorCode::kLimit,
                 fmt::format("Sequences are nested more than {} deep", kSequenceDepthMax));
  }
  const json& parts = member(sequence, key);
  if (!parts.is_array()) {
    return Error(ErrorCode::kCorrupt, fmt::format("Sequence: \"{}\" should be a list, found {}",
                                                  key, parts.type_name()));
  }
  return &parts;
}

}  // namespace levin::engine
