// Small typed reads from a tokenizer.json, shared by the parsers of its parts. Every one returns an
// error for a wrong type; none throws.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace levin::engine {

// Parses a whole file. Errors: kCorrupt with the place where the JSON breaks.
Result<nlohmann::json> parse_json(std::string_view text);

// The member `key` of an object; a null value when it is absent (or `object` is not an object).
const nlohmann::json& member(const nlohmann::json& object, const char* key);

// The string or the flag at `key`. A missing flag, or null, is `otherwise`. Errors: kCorrupt.
Result<std::string_view> string_member(const nlohmann::json& object, const char* key,
                                       std::string_view what);
Result<bool> bool_member(const nlohmann::json& object, const char* key, bool otherwise,
                         std::string_view what);

// An integer that fits; -1, which is no token id, for anything else.
int64_t integer_or_minus_one(const nlohmann::json& value);

// The "type" of a normalizer, pre-tokenizer, decoder ... `role` names it in errors.
Result<std::string_view> component_type(const nlohmann::json& description, std::string_view role);

// kUnsupported: what was found, what is known.
Error unknown_component(std::string_view role, std::string_view type, std::string_view known);

// The array at `key` of a Sequence. Errors: kCorrupt; kLimit when Sequences nest too deep.
Result<const nlohmann::json*> sequence_parts(const nlohmann::json& sequence, const char* key,
                                             int depth);

}  // namespace levin::engine
