// Normalisation before tokenising: none, or Unicode form NFC.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace levin::engine {

enum class Normalizer { kNone, kNfc };

// Reads the "normalizer" of a tokenizer.json: null, NFC, or a Sequence of these.
// Errors: kUnsupported naming the type found; kCorrupt when it is no such object.
Result<Normalizer> parse_normalizer(const nlohmann::json& description);

// `text` in form NFC. It must be UTF-8. Linear in its size: a run of more than 1024 combining
// marks, which no language has, is normalised in parts, because sorting it would take quadratic
// time.
std::string to_nfc(std::string_view text);

}  // namespace levin::engine
