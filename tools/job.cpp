// job: what a background command has printed since the last look; its input, its end.
#include <algorithm>

#include "tools/arguments.h"
#include "tools/command_result.h"
#include "tools/entries.h"
#include "tools/job_table.h"

namespace levin::tools {
namespace {

constexpr int64_t kWaitDefaultS = 5;
constexpr int64_t kWaitMaxS = 600;
constexpr int64_t kKillWaitMs = 10'000;  // Grace time, and what the kernel needs.

std::string known_jobs(const JobTable& jobs) {
  std::string text;
  for (const std::string& id : jobs.ids()) text += (text.empty() ? "" : ", ") + id;
  return text.empty() ? "There is none; start one with bash and background=true."
                      : "There are: " + text + ".";
}

// A model writes 1 as readily as "1".
std::string id_of(const nlohmann::json& value, Arguments& arguments) {
  if (value.is_object() && value.contains("id") && value["id"].is_number_unsigned()) {
    return std::to_string(value["id"].get<uint64_t>());
  }
  return arguments.text("id");
}

ToolResult run_job(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("job", kJobExample, value);
  const std::string id = id_of(value, arguments);
  JobTable::Request request;
  request.input = arguments.text_or("input", "");
  request.kill = arguments.flag_or("kill", false);
  const int64_t wait_s = std::min(arguments.whole_number_or("wait_s", kWaitDefaultS, 0), kWaitMaxS);
  if (arguments.failed()) return failure(arguments.problem());
  if (context.jobs == nullptr) return failure("E_ARGS job: there are no background jobs here.");
  if (!context.jobs->has(id)) {
    return failure("E_ARGS job: no job \"" + id + "\". " + known_jobs(*context.jobs));
  }
  request.wait_ms = request.kill ? std::max(wait_s * 1000, kKillWaitMs) : wait_s * 1000;
  request.interrupted = context.interrupted;
  const Result<JobLook> look = context.jobs->look(id, request);
  if (!look) return failure("E_IO job " + id + ": " + look.error().message());
  const std::string shown = shown_output(command_output(look->report), "");
  ToolResult result;
  if (look->is_running) {
    result.text = "running for " + std::to_string(look->wall_ms / 1000) + "s";
    std::string_view body = shown;
    if (body.ends_with('\n')) body.remove_suffix(1);
    if (!body.empty()) result.text += '\n' + std::string(body);
  } else {
    const ToolResult ended = command_result(look->report, shown, look->wall_ms / 1000);
    result.text = ended.text;
    result.quarantined = ended.quarantined;
    result.protected_changes = ended.protected_changes;
  }
  result.text = "job " + id + ' ' + result.text;
  return result;
}

}  // namespace

ToolEntry job_tool() {
  return {"job", std::string(kJobExample), run_job};
}

}  // namespace levin::tools
