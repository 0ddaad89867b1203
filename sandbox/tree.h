// Tree: the processes of one running command as a whole. Two kinds: those of a cell, whose init
// answers for all of them, and a plain session of this machine (profile off).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/policy.h"

namespace levin::sandbox {

// How a tree ended.
struct TreeEnd {
  int wait_status = 0;  // Of the command itself, as waitpid() gives it.
  int stop_cause = 0;   // Not 0: stopped by a limit (StopCause of wire.h).
  int64_t cpu_us = 0;
  int64_t peak_memory_bytes = 0;
  int64_t written_bytes = 0;
};

class Tree {
 public:
  virtual ~Tree() = default;

  // Readable when update() has something to do.
  virtual int event_fd() const = 0;

  // True once every process is dead. Does not block for longer than a kill takes.
  // Errors: kIo when the command could not be set up, or a process does not die.
  virtual Result<bool> update() = 0;

  // To every process. SIGKILL ends all of it; it may have to be repeated.
  virtual void signal(int signal_number) = 0;

  virtual const TreeEnd& end() const = 0;
};

// A session of its own with `fds` as its descriptors. Errors: kIo.
struct PlainRequest {
  std::vector<std::string> argv;         // argv[0] is an absolute path.
  std::vector<std::string> environment;  // NAME=value
  std::string working_folder;            // Absolute.
  std::vector<int> fds;
  Limits limits;
};
Result<std::unique_ptr<Tree>> start_plain_tree(const PlainRequest& request);

// A command of a cell, told about on `control`.
std::unique_ptr<Tree> make_cell_tree(UniqueFd control);

}  // namespace levin::sandbox
