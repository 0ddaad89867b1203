#include "engine/template_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace levin::engine {
namespace {

constexpr TemplateFamily kFamilies[] = {TemplateFamily::kM1, TemplateFamily::kText01,
                                        TemplateFamily::kVllm};

}  // namespace

std::string_view template_family_name(TemplateFamily family) {
  switch (family) {
    case TemplateFamily::kM1:
      return "m1";
    case TemplateFamily::kText01:
      return "text-01";
    default:
      return "vllm";
  }
}

Result<TemplateFamily> recognise_template(std::string_view text, const std::string& where) {
  const auto has = [&](std::initializer_list<std::string_view> parts) {
    return std::all_of(parts.begin(), parts.end(), [&](std::string_view part) {
      return text.find(part) != std::string_view::npos;
    });
  };
  if (has({"<beginning_of_sentence>", "<end_of_sentence>", "user name=user"})) {
    if (has({"ai_setting=MiniMax AI", "ai name=MiniMax AI"})) return TemplateFamily::kVllm;
    if (has({"ai_setting=assistant", "ai name=assistant"})) {
      // Text-01 knows no tools, or writes them as functions.
      return has({"tool_setting=tools"}) ? TemplateFamily::kM1 : TemplateFamily::kText01;
    }
  }
  return Error(ErrorCode::kUnsupported,
               fmt::format("{}: its chat template ({} bytes) is none of those known (MiniMax-M1, "
                           "MiniMax-Text-01, vLLM's for M1); if the model follows one of them, say "
                           "so: --chat-template m1, text-01 or vllm",
                           where, text.size()));
}

Result<TemplateFamily> parse_template_family(std::string_view name) {
  for (const TemplateFamily family : kFamilies) {
    if (name == template_family_name(family)) return family;
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("--chat-template {}: expected m1, text-01 or vllm", name));
}

}  // namespace levin::engine
