// Process 1 of one command: prepares its mounts, starts it, reaps, reports, and is the handle by
// which all of it dies.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "sandbox/cell_plan.h"

namespace levin::sandbox {

// What every command of a cell has in common.
struct CellContext {
  UniqueFd landlock;           // Empty where the kernel has none.
  std::string seccomp_filter;  // struct sock_filter[]
  std::string workspace;
};

// Runs in a clone with process, mount and IPC namespaces of its own; never returns. `fds` are those
// of the command, then those of its cgroups.
[[noreturn]] void run_command_init(const CellContext& context, const CommandPlan& plan,
                                   std::vector<UniqueFd> fds, UniqueFd control);

}  // namespace levin::sandbox
