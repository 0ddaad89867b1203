// bash: one command line under the sandbox.
#include <fcntl.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/unique_fd.h"
#include "tools/arguments.h"
#include "tools/command_result.h"
#include "tools/entries.h"
#include "tools/job_table.h"
#include "tools/workspace.h"

namespace levin::tools {
namespace {

constexpr int64_t kTimeoutDefaultS = 120;
constexpr int64_t kTimeoutMaxS = 3600;
constexpr int kSpillFilesMax = 100'000;

// Keeps `text` in the first free file of the spill folder and lets the model read it; returns its
// path, empty when there is no folder or no room: the result then only says what was cut.
std::string spill(const std::string& text, ToolContext& context) {
  if (context.spill_folder.empty()) return "";
  if (!make_directories(context.spill_folder)) return "";
  for (int number = 1; number <= kSpillFilesMax; ++number) {
    const std::string path = context.spill_folder + '/' + std::to_string(number) + ".txt";
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd && errno == EEXIST) continue;
    if (!fd || !write_all(fd.get(), text, path)) return "";
    return context.workspace.allow_reading(context.spill_folder) ? path : "";
  }
  return "";
}

// The command has been run or refused by now: what the log cannot take, the user has to hear.
ToolResult audited(ToolResult result, const sandbox::AuditCommand& record, ToolContext& context) {
  if (context.audit == nullptr) return result;
  const Result<void> written = context.audit->append(record);
  if (!written) result.warnings.push_back(written.error().message());
  return result;
}

ToolResult start_job(const std::string& command, int64_t timeout_s, sandbox::AuditCommand& record,
                     ToolContext& context) {
  if (context.jobs == nullptr) {
    return failure("E_ARGS bash: there are no background jobs here; leave background out.");
  }
  const Result<std::string> id = context.jobs->start(command, timeout_s * 1000);
  if (id) {
    ToolResult result;
    result.text =
        "job " + *id + " started; job {\"id\":\"" + *id + "\"} shows its output and state.";
    return result;
  }
  record.error = id.error().message();
  if (id.error().code() == ErrorCode::kLimit) {
    return audited(failure("E_LIMIT " + record.error + '.'), record, context);
  }
  return audited(failure("E_IO cannot start the command: " + record.error), record, context);
}

ToolResult run_bash(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("bash", kBashExample, value);
  sandbox::Command command;
  command.argv = {"bash", "-c", arguments.text("command")};
  const bool is_background = arguments.flag_or("background", false);
  const int64_t timeout_s =
      std::min(arguments.whole_number_or("timeout_s",
                                         is_background ? kJobWallMs / 1000 : kTimeoutDefaultS, 1),
               is_background ? kJobWallMs / 1000 : kTimeoutMaxS);
  if (command.argv.back().find('\0') != std::string::npos) {
    arguments.refuse("\"command\" must not hold a NUL byte");
  }
  if (arguments.failed()) return failure(arguments.problem());
  sandbox::AuditCommand record;
  record.argv = command.argv;
  if (context.refusal) {
    record.refusal = context.refusal(command.argv.back());
    if (!record.refusal.empty()) return audited(failure(record.refusal), record, context);
  }
  if (context.sandbox == nullptr) {
    return failure("E_DENIED " + command.argv.back() +
                   " (commands are switched off). Do not retry; choose another way or ask.");
  }
  if (is_background) return start_job(command.argv.back(), timeout_s, record, context);
  const sandbox::Sandbox limited = context.sandbox->with_wall_limit_ms(timeout_s * 1000);
  const Result<sandbox::ExitReport> report =
      limited.run(command, context.on_output, context.interrupted);
  if (!report) {
    record.error = report.error().message();
    return audited(failure("E_IO cannot start the command: " + record.error), record, context);
  }
  record.report = &*report;
  const CommandOutput output = command_output(*report);
  const std::string spill_path = output.truncated ? spill(output.full, context) : "";
  return audited(command_result(*report, shown_output(output, spill_path), timeout_s), record,
                 context);
}

}  // namespace

ToolEntry bash_tool() {
  return {"bash", std::string(kBashExample), run_bash};
}

}  // namespace levin::tools
