// Starts one child without copying the parent's memory map. What posix_spawn lacks is why this
// exists: resource limits, a session of its own, a death signal and closing every other descriptor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/policy.h"

namespace levin::sandbox {

struct SpawnRequest {
  std::vector<std::string> argv;         // argv[0] is an absolute path.
  std::vector<std::string> environment;  // NAME=value
  std::string working_folder;            // Absolute; "" keeps the parent's.
  std::vector<int> fds;                  // fds[n] becomes descriptor n; no other one is inherited.
  Limits limits;
  int64_t processes_max = -1;  // RLIMIT_NPROC of the child itself; -1 leaves it.
};

// Starts the child as leader of a new session and dies with the thread that called (PDEATHSIG).
// Errors: kIo with the step that failed and errno in words.
Result<pid_t> spawn(const SpawnRequest& request);

}  // namespace levin::sandbox
