// Runs one child to its end: output, deadline, interrupt, and the end of everything it started.
// Knows two kinds of tree: that of bwrap, which dies with its init, and a plain session.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/policy.h"
#include "sandbox/sandbox.h"

namespace levin::sandbox {

// What bwrap is told (PlanFds) and run_process() provides.
inline constexpr int kStatusFd = 3;
inline constexpr int kBlockFd = 4;

struct ProcessRequest {
  std::vector<std::string> argv;         // argv[0] is an absolute path.
  std::vector<std::string> environment;  // NAME=value; of bwrap itself, or of the command.
  std::string working_folder;            // Absolute; "" keeps the caller's.
  std::string standard_input;
  bool bubblewrap = false;  // argv is bwrap with kStatusFd and kBlockFd.
  Limits limits;
};

// Runs until the whole tree has ended, even when the output pipe stays open elsewhere.
// A death by signal n reaches us as exit code 128+n, through bwrap and through every shell. A code
// that means a deadly signal is therefore given as kSignal, in every profile; a command that
// chooses such a number itself cannot be told from it. Errors: kIo when the child cannot be
// started, when bwrap fails before the command starts (its words are in the message), and when a
// process cannot be killed.
Result<ExitReport> run_process(const ProcessRequest& request, const OutputSink& sink,
                               const std::atomic<bool>* interrupted);

}  // namespace levin::sandbox
