// What the warden is told: the tree of a cell, and one command. Plain data, made by plan.cpp,
// carried out by warden/ in exactly this order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace levin::sandbox {

struct MountOp {
  enum class Kind : int64_t {
    kBind,        // `source` of the machine and all below it, at `target`; nosuid, nodev.
    kDevice,      // One device node, `source`, at `target`.
    kTmpfs,       // An empty folder in memory, of `mode` and at most `size_bytes`.
    kSymlink,     // `target` is a link to the text `source`.
    kTerminals,   // A devpts of its own.
    kProc,        // Of the cell's process namespace; every command mounts its own over it.
    kHideFile,    // Covered by a node that nobody may read.
    kHideFolder,  // Covered by an empty folder.
    kSeal,        // From here on `target` (not what is mounted below it) is read-only.
  };
  Kind kind = Kind::kBind;
  std::string source;
  std::string target;
  bool read_only = false;
  int64_t mode = 0755;
  int64_t size_bytes = 0;

  bool operator==(const MountOp&) const = default;
};

struct CellPlan {
  std::vector<MountOp> mounts;
  std::string workspace;                 // Inside; "" when there is none.
  std::vector<std::string> write_below;  // Landlock: the only folders with write rights.
  std::string seccomp_filter;            // struct sock_filter[], as bytes.
  std::string host_name;
  bool nested_namespaces = false;  // Only the browser's own sandbox may want them.
};

struct CommandPlan {
  std::vector<std::string> argv;
  std::vector<std::string> programs;     // Paths to try for argv[0], in this order.
  std::vector<std::string> environment;  // NAME=value
  std::string working_folder;            // Absolute, inside.
  std::vector<std::string> pins;         // Relative to the workspace; see WorkspaceView.
  std::vector<std::string> guards;
  int64_t fd_count = 3;  // How many descriptors came along; [0] is standard input.
  bool pty = false;      // The first three are replaced by a terminal.
  int64_t rows = 24, columns = 80;
  int64_t cgroup_fd_count = 0;  // Further descriptors: each takes "0" to move its writer there.
  int64_t processes_max = 0;    // RLIMIT_NPROC, and watched where no cgroup counts.
  int64_t open_files_max = 0;
  int64_t file_size_bytes_max = 0;
  int64_t cpu_ms_max = 0;        // Of the whole tree, watched by the init; 0: none.
  int64_t memory_bytes_max = 0;  // Watched by the init; 0: a cgroup does it.
  int64_t niceness = 0;          // So that inference keeps the cores it wants.
  bool watch_processes = false;  // No cgroup counts them.
};

std::string encode(const CellPlan& plan);
std::string encode(const CommandPlan& plan);
// Errors: kCorrupt.
Result<CellPlan> decode_cell_plan(const std::string& bytes);
Result<CommandPlan> decode_command_plan(const std::string& bytes);

}  // namespace levin::sandbox
