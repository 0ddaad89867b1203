// JSON as text, byte for byte as Python's json.dumps(value, ensure_ascii=False) prints it: the form
// that the model's chat template puts tools and arguments in.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace levin::engine {

// Keys keep their order; `, ` and `: ` separate; floats have their shortest exact form. A string
// that is not UTF-8 gets U+FFFD. An integer beyond 64 bits was read as a float and is printed as
// one. Errors: kLimit when values are nested more than 256 deep.
Result<std::string> json_text(const nlohmann::ordered_json& value);

}  // namespace levin::engine
