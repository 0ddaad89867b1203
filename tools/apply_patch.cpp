// apply-patch: a patch over any number of files, all of it or nothing. No profile shows it: models
// are told of edit and write, and what they write of their own accord is accepted.
#include "tools/arguments.h"
#include "tools/entries.h"
#include "tools/patch.h"
#include "tools/patch_apply.h"

namespace levin::tools {
namespace {

ToolResult run_apply_patch(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("apply-patch", kApplyPatchExample, value);
  const std::string patch = arguments.text("patch");
  if (arguments.failed()) return failure(arguments.problem());
  const ParsedPatch parsed = parse_patch(patch);
  if (!parsed.problem.empty()) {
    return failure("E_ARGS apply-patch: " + parsed.problem + ". Nothing was applied.");
  }
  PatchOutcome outcome = apply_operations(parsed.operations, context.workspace);
  ToolResult result;
  result.text = outcome.text();
  result.failed = outcome.failed;
  result.changes = std::move(outcome.changes);
  return result;
}

}  // namespace

ToolEntry apply_patch_tool() {
  return {"apply-patch", std::string(kApplyPatchExample), run_apply_patch};
}

}  // namespace levin::tools
