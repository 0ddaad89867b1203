// Who belongs to a running command, and sending them a signal.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/unique_fd.h"

namespace levin::sandbox {

// One entry of /proc. The start time tells a process from a later one with the same number.
struct ProcessEntry {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  char state = '?';
  unsigned long long start_time = 0;
};

// Living processes below `root` (itself left out) and, when `session` is not 0, those of that
// session. Zombies are left out.
std::vector<ProcessEntry> tree_of(pid_t root, pid_t session);

// Those of `processes` that still live (a signal is sent at once, but a process takes time to die).
std::vector<ProcessEntry> still_alive(const std::vector<ProcessEntry>& processes);

// Sends `signal_number` to each entry that is still the same process.
void signal_processes(const std::vector<ProcessEntry>& processes, int signal_number);

// How many tasks (threads) the calling user has on the machine; what RLIMIT_NPROC is compared with.
long user_task_count();

// A descriptor that becomes readable when `pid` has ended; empty when there is no such process.
UniqueFd open_pidfd(pid_t pid);

// kill(2) through that descriptor.
void signal_pidfd(const UniqueFd& pidfd, int signal_number);

}  // namespace levin::sandbox
