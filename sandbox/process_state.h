// Process::State: what a running command consists of; made by sandbox.cpp, used by process.cpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "sandbox/output_buffer.h"
#include "sandbox/process.h"
#include "sandbox/tree.h"

namespace levin::sandbox {

// The descriptors of a command: `theirs` go into it, the others are our ends.
struct CommandPipes {
  UniqueFd output;               // Non-blocking; also the terminal.
  UniqueFd input;                // Of an input pipe; non-blocking.
  std::vector<UniqueFd> opened;  // Owns those of `theirs` that were made for this command.
  std::vector<int> theirs;       // Standard input, output, error, then the extra ones.
};

// Pipes and files as `command` wants them; with a pty the first three are placeholders.
// Errors: kIo; kInvalidArgument for an impossible combination.
Result<CommandPipes> make_pipes(const Command& command);

int64_t now_ms();

struct Process::State {
  State(std::unique_ptr<Tree> its_tree, CommandPipes pipes, const Limits& its_limits);

  std::unique_ptr<Tree> tree;
  UniqueFd output_pipe;
  UniqueFd input_pipe;
  bool is_terminal = false;
  int input_from = -1;        // Passed on by wait(); -1 when there is none, or no more.
  std::string pending_input;  // Read from there, not yet taken by the command.
  Limits limits;
  std::string disk_folder;  // Whose file system may fill up by limits.disk_bytes_max; "" for none.
  // Called once all is dead; fills protected_changes.
  std::function<void(ExitReport&)> at_end;

  OutputBuffer output;
  std::string chunk;
  int64_t started_ms = 0;
  int64_t disk_free_bytes = -1;  // At the start.
  bool ended = false;
  int64_t ended_ms = 0;
  std::optional<Error> failure;  // Instead of an end.
  std::optional<EndedBy> cause;  // Why we are ending it, once we are.
  int next_signal = 0;           // Of SIGINT, SIGTERM, SIGKILL: the one that comes next.
  int64_t next_signal_ms = 0;    // When it is due.
  int64_t first_kill_ms = 0;     // When SIGKILL was sent for the first time.
  int64_t next_disk_look_ms = 0;
};

}  // namespace levin::sandbox
