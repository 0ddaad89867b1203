// Which chat template a checkpoint ships, recognised by what it writes; no template language is
// executed. levin's own prompts keep to M1's form (docs/formats/prompt.md), which all of these
// models were trained on or are close to; a template that is none of them means another prompt
// format.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace levin::engine {

enum class TemplateFamily { kM1, kText01, kVllm };

// "m1", "text-01", "vllm".
std::string_view template_family_name(TemplateFamily family);

// Errors: kUnsupported for text that is none of the known templates, naming the option that chooses
// one; `where` says whose template it is.
Result<TemplateFamily> recognise_template(std::string_view text, const std::string& where);

// Of the option's value. Errors: kInvalidArgument naming those known.
Result<TemplateFamily> parse_template_family(std::string_view name);

}  // namespace levin::engine
