// Runs one command under one policy. First layer: bubblewrap does the isolation; the seam (Policy
// in, ExitReport out) is where levin's own launcher will go. `levin doctor` shows probe().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/plan.h"
#include "sandbox/policy.h"

namespace levin::sandbox {

struct Command {
  std::vector<std::string> argv;  // argv[0] is looked up in the policy's PATH.
  std::string working_folder;     // Relative to the workspace; "" is the workspace itself.
  std::string standard_input;     // Given whole, then end of file.
};

enum class EndedBy { kExit, kSignal, kTimeout, kOutputLimit, kInterrupt };

struct ExitReport {
  EndedBy ended_by = EndedBy::kExit;
  int exit_code = 0;      // For kExit.
  int signal_number = 0;  // For kSignal.
  int64_t wall_ms = 0;
  std::string output;  // stdout and stderr merged in order; raw bytes; head and tail when capped.
  size_t output_bytes = 0;   // How many the command wrote.
  size_t output_cut_at = 0;  // Where in `output` bytes are missing; 0 when nothing is.
  // Protected paths that could not be guarded because they were missing (or a link), and that this
  // command made or changed. Trusted programs outside may act on them: show them to the user.
  std::vector<std::string> protected_changes;
};

// Called with output as it comes, from the calling thread.
using OutputSink = std::function<void(std::string_view)>;

struct Layer {
  std::string name;  // "bubblewrap", "user namespace", "network namespace" ...
  bool available = false;
  std::string detail;  // Version, or the exact reason where it is missing.
};

// What this machine offers, tried by doing it.
std::vector<Layer> probe();

class Sandbox {
 public:
  // Checks that `policy` can be enforced here by running a trivial command under it.
  // Errors: kUnsupported with the layer that is missing and why, and that `--sandbox off` goes on
  // without isolation.
  static Result<Sandbox> open(Policy policy);

  // Runs until the whole process tree has ended. A command that fails, times out or is killed is an
  // outcome, not an error. `interrupted`, when given, is polled: true ends the command at once.
  // Errors: kIo when it could not be started at all (argv[0] missing is exit 127 instead);
  // kInvalidArgument when argv is empty or the working folder is absolute or has ".." in it;
  // kNotFound when there is no such folder. May be called from several threads; two commands at
  // once in one writable workspace can race against the look at its protected paths (SECURITY.md).
  Result<ExitReport> run(const Command& command, const OutputSink& sink = nullptr,
                         const std::atomic<bool>* interrupted = nullptr) const;

  const Policy& policy() const { return policy_; }

  // The same sandbox with another wall-clock limit.
  Sandbox with_wall_limit_ms(int64_t wall_ms) const;

 private:
  Sandbox(Policy policy, HostView host) : policy_(std::move(policy)), host_(std::move(host)) {}

  Policy policy_;
  HostView host_;
};

}  // namespace levin::sandbox
