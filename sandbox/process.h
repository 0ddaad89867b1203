// Process: one running command, in a cell of the warden or (profile off) as a plain session.
// Output, input, signals, and the end of everything it started.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/policy.h"

namespace levin::sandbox {

enum class EndedBy {
  kExit,
  kSignal,
  kTimeout,
  kOutputLimit,
  kInterrupt,
  kMemoryLimit,
  kProcessLimit,
  kDiskLimit,
};

struct Quarantined {
  std::string path;   // Relative to the workspace, where the command had made it.
  std::string place;  // Absolute, where it is now.
};

struct ExitReport {
  EndedBy ended_by = EndedBy::kExit;
  int exit_code = 0;      // For kExit.
  int signal_number = 0;  // For kSignal.
  int64_t wall_ms = 0;
  int64_t cpu_ms = 0;             // User and system time of the whole tree.
  int64_t peak_memory_bytes = 0;  // Of its largest process; of the tree where a cgroup counts.
  int64_t written_bytes = 0;      // To disks, as the kernel accounts them.
  std::string output;  // stdout and stderr merged in order; raw bytes; head and tail when capped.
  size_t output_bytes = 0;   // How many the command wrote.
  size_t output_cut_at = 0;  // Where in `output` bytes are missing; 0 when nothing is.
  // Protected paths that could not be guarded because they were missing (or a link), and what makes
  // git start programs anywhere in the workspace: what this command made of it, and where it was
  // moved ...
  std::vector<Quarantined> quarantined;
  // ... and what it changed or removed, or what could not be moved. Trusted programs outside may act
  // on these: show them to the user.
  std::vector<std::string> protected_changes;
};

// Called with output as it comes, from the calling thread.
using OutputSink = std::function<void(std::string_view)>;

struct Command {
  std::vector<std::string> argv;  // argv[0] is looked up in the policy's PATH.
  std::string working_folder{};   // Relative to the workspace; "" is the workspace itself.
  std::string standard_input{};   // Given whole, then end of file; not with input_pipe or pty.
  bool input_pipe = false;        // Standard input is a pipe that Process::write_input() feeds.
  bool pty = false;  // A terminal of its own instead of pipes: input, output and job control.
  uint16_t rows = 24, columns = 80;  // Of that terminal.
  std::vector<int> extra_fds{};      // Borrowed for start(): extra_fds[n] becomes descriptor 3 + n.
  int input_from = -1;   // Borrowed until wait() returns: what can be read there goes to the pipe
                         // or the terminal.
  int output_file = -1;  // Borrowed for start(): stdout and stderr go there instead of to us.
};

// What can be signalled and waited for; private to this folder (tree.h).
class Tree;

// Move-only; destroying it kills what still runs. One thread at a time uses it.
class Process {
 public:
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();

  // Non-blocking. The merged output, or the terminal; -1 after its end or with an output_file.
  int output_fd() const;

  // Writes to the pipe or the terminal; returns how many bytes went (a full pipe takes none).
  // Errors: kInvalidArgument when the command has no input of this kind; kIo.
  Result<size_t> write_input(std::string_view bytes);

  // End of file for an input pipe.
  void close_input();

  // To every process of the command. SIGKILL ends all of it for sure.
  void signal(int signal_number);

  // Becomes readable when has_ended() may have changed.
  int event_fd() const;

  // True once the command and everything it started are dead. Does not block.
  bool has_ended();

  // For callers that read output_fd() themselves: what wait() would return for an ended command,
  // with empty `output`. CHECKs has_ended(). Errors: kIo as for wait().
  Result<ExitReport> report();

  // Reads output until the whole tree has ended, and keeps the limits (time, output, disk).
  // `interrupted`, when given, is polled: true ends the command at once.
  // Errors: kIo when the command could not be set up, the warden died, or a process hangs.
  Result<ExitReport> wait(const OutputSink& sink = nullptr,
                          const std::atomic<bool>* interrupted = nullptr);

  struct State;  // process.cpp
  explicit Process(std::unique_ptr<State> state);

 private:
  std::unique_ptr<State> state_;
};

}  // namespace levin::sandbox
