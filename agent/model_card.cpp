#include "agent/model_card.h"

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file_io.h"
#include "engine/gguf_model.h"
#include "engine/json_brief.h"

namespace levin::agent {
namespace {

using nlohmann::json;
using Setter = std::function<bool(const json&)>;  // False: wrong type.

struct Key {
  const char* expected;
  Setter set;
};

Setter text(std::string* to) {
  return [to](const json& value) {
    if (value.is_string()) *to = value.get<std::string>();
    return value.is_string();
  };
}

Setter number(double* to, double least, double most) {
  return [=](const json& value) {
    if (!value.is_number() || value.get<double>() < least || value.get<double>() > most)
      return false;
    *to = value.get<double>();
    return true;
  };
}

Setter whole(int64_t* to, int64_t least, int64_t most) {
  return [=](const json& value) {
    if (!value.is_number_integer() || value.get<double>() < static_cast<double>(least) ||
        value.get<double>() > static_cast<double>(most)) {
      return false;
    }
    *to = value.get<int64_t>();
    return true;
  };
}

Result<void> read_keys(const json& object, const std::map<std::string, Key>& keys,
                       const std::string& where) {
  for (const auto& [name, value] : object.items()) {
    const auto key = keys.find(name);
    if (key == keys.end()) {
      std::string known;
      for (const auto& [known_name, unused] : keys)
        known += (known.empty() ? "" : ", ") + known_name;
      return Error(ErrorCode::kCorrupt,
                   fmt::format("{}: unknown key '{}'; known are {}", where, name, known));
    }
    if (!key->second.set(value)) {
      return Error(ErrorCode::kCorrupt,
                   fmt::format("{}: '{}' is {}, expected {}", where, name,
                               engine::json_brief(value), key->second.expected));
    }
  }
  return {};
}

}  // namespace

Result<ModelCard> parse_model_card(const std::string& json_text, const std::string& file_name) {
  const json object = json::parse(json_text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object())
    return Error(ErrorCode::kCorrupt, file_name + ": expected a JSON object");
  ModelCard card;
  const json none = json::object();
  const json* sampling = &none;
  std::string ignored;
  const std::map<std::string, Key> keys = {
      {"name", {"a text", text(&card.name)}},
      {"profile", {"a text", text(&card.profile)}},
      {"notes", {"a text", text(&card.notes)}},
      {"precision",
       {"\"exact\" or \"native\"",
        [&](const json& value) {
          if (value.is_string()) card.precision = value.get<std::string>();
          return value == "exact" || value == "native";
        }}},
      {"license", {"a text", text(&ignored)}},
      {"trained", {"a text", text(&ignored)}},
      {"sampling",
       {"an object",
        [&](const json& value) {
          sampling = &value;
          return value.is_object();
        }}},
  };
  TRY(read_keys(object, keys, file_name));
  const std::map<std::string, Key> sampling_keys = {
      {"temperature", {"a number from 0 to 5", number(&card.temperature, 0, 5)}},
      {"top_p", {"a number from 0 to 1", number(&card.top_p, 0, 1)}},
      {"retry_temperature", {"a number from 0 to 5", number(&card.retry_temperature, 0, 5)}},
      {"retries", {"a whole number from 0 to 100", whole(&card.retries, 0, 100)}},
      {"max_tokens", {"a whole number of 1 or more", whole(&card.max_tokens, 1, int64_t{1} << 32)}},
  };
  TRY(read_keys(*sampling, sampling_keys, file_name + ": sampling"));
  return card;
}

Result<ModelCard> load_model_card(const std::string& model_folder) {
  // A GGUF file has its card beside it.
  const bool is_gguf = engine::is_gguf_path(model_folder);
  const std::string path =
      is_gguf ? std::filesystem::path(model_folder).replace_extension(".levin.json").string()
              : model_folder + "/levin.json";
  Result<std::string> text = read_file(path, 1 << 20);
  if (!text && text.error().code() == ErrorCode::kNotFound) return ModelCard{};
  if (!text) return std::move(text).error();
  return parse_model_card(*text, path);
}

}  // namespace levin::agent
