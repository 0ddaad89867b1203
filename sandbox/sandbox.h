// Runs commands under one policy: Policy in, ExitReport out. A Sandbox owns one cell: a warden
// process (warden/) that was started once and holds the namespaces in which every command gets
// process, mount and IPC namespaces of its own. `levin doctor` shows probe().
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/plan.h"
#include "sandbox/policy.h"
#include "sandbox/process.h"

namespace levin::sandbox {

struct Layer {
  std::string name;  // "user namespace", "network namespace", "seccomp" ...
  bool available = false;
  bool required = true;  // False: where it is missing, something weaker is used and named.
  std::string detail;    // Version, or the exact reason where it is missing.
};

// What this machine offers, tried by doing it.
std::vector<Layer> probe();

class ProtectedWatch;
class WardenClient;

class Sandbox {
 public:
  // Starts the cell. Errors: kUnsupported with the layer that is missing and why, and that
  // `--sandbox off` goes on without isolation.
  static Result<Sandbox> open(Policy policy);

  // Runs until the whole process tree has ended. A command that fails, times out or is killed is an
  // outcome, not an error. `interrupted`, when given, is polled: true ends the command at once.
  // Errors: kIo when it could not be started at all (argv[0] missing is exit 127 instead);
  // kInvalidArgument when argv is empty or the working folder is absolute or has ".." in it;
  // kNotFound when there is no such folder. May be called from several threads.
  Result<ExitReport> run(const Command& command, const OutputSink& sink = nullptr,
                         const std::atomic<bool>* interrupted = nullptr) const;

  // Starts a command that goes on by itself; it dies with the returned object, and with the last
  // copy of this sandbox. Errors: as run().
  Result<Process> start(const Command& command) const;

  // A TCP socket that listens on 127.0.0.1:`port` of the cell's own network (0: any port; ask
  // getsockname). Errors: kUnsupported for kOff; kIo (the port is taken).
  Result<UniqueFd> listen(uint16_t port) const;

  // An unconnected TCP socket of the cell's network: connect(2) it to a server inside.
  // Errors: as listen().
  Result<UniqueFd> socket() const;

  const Policy& policy() const { return policy_; }

  // What is weaker than it could be, in words for the user; empty when nothing is.
  const std::vector<std::string>& weakenings() const { return weakenings_; }

  // The same cell with another wall-clock limit.
  Sandbox with_wall_limit_ms(int64_t wall_ms) const;

 private:
  explicit Sandbox(Policy policy) : policy_(std::move(policy)) {}
  void watch_workspace();

  Policy policy_;
  std::vector<std::string> weakenings_;
  // Shared because with_wall_limit_ms() copies; the last copy ends the cell. Null for kOff.
  std::shared_ptr<WardenClient> warden_;
  std::shared_ptr<ProtectedWatch> watch_;  // Null where the workspace cannot be written.
};

}  // namespace levin::sandbox
