// The result text of a command, from what the sandbox reports. Runs nothing.
#pragma once

#include <string>

#include "sandbox/sandbox.h"
#include "tools/tool.h"

namespace levin::tools {

// The command's output as text. `full` is all of it; `shown` what fits, with a note on what was
// left out that names `spill_path` (unless that is empty).
struct CommandOutput {
  std::string full;
  bool truncated = false;
  bool binary = false;
};
CommandOutput command_output(const sandbox::ExitReport& report);
std::string shown_output(const CommandOutput& output, const std::string& spill_path);

// First line and output. `timeout_s` is the limit the command ran under.
ToolResult command_result(const sandbox::ExitReport& report, const std::string& shown,
                          int64_t timeout_s);

// "SIGKILL"; "signal 70" for one without a name.
std::string signal_name(int number);

}  // namespace levin::tools
