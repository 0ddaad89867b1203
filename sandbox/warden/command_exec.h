// The last steps of a command between the init and its own first instruction.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/result.h"
#include "sandbox/cell_plan.h"
#include "sandbox/warden/command_init.h"

namespace levin::sandbox {

struct ExecOutcome {
  pid_t pid = 0;
  int exec_errno = 0;  // Not 0: no candidate could be executed; the child has ended.
};

// Clones and executes; returns once the new program runs. `fds[n]` becomes descriptor n.
// Errors: kIo with the step that failed before exec.
Result<ExecOutcome> start_command(const CellContext& context, const CommandPlan& plan,
                                  const std::vector<int>& fds);

// Drops every capability of the calling process, the bounding set included, and gains none by exec.
bool drop_privileges();

}  // namespace levin::sandbox
