// What one command may do. Plain data; the default denies. Built first, planned (plan.h), executed
// once (sandbox.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace levin::sandbox {

enum class Profile {
  kReadOnly,   // The workspace is read-only; only private temporary folders can be written.
  kWorkspace,  // The workspace is writable, except its protected paths.
  kBrowser,    // No workspace at all: for a browser that opens pages which a model wrote.
  kOff,        // No isolation at all (the user typed it). Limits and the scrubbed environment stay.
};

struct Limits {
  int64_t wall_ms = 120'000;             // Then SIGINT, SIGTERM, SIGKILL to the whole tree.
  int64_t grace_ms = 2'000;              // Between those three.
  size_t output_head_bytes = 64 * 1024;  // First bytes kept of the merged output ...
  size_t output_tail_bytes = 64 * 1024;  // ... and last bytes.
  size_t output_bytes_max = 64 << 20;    // More than this kills the command.
  int64_t processes_max = 1024;          // Tasks of one command, threads included.
  int64_t open_files_max = 4096;
  int64_t file_size_bytes_max = int64_t{4} << 30;
  int64_t cpu_ms = 0;            // Processor time of the whole tree; 0: no limit of its own.
  int64_t memory_bytes_max = 0;  // Of the whole tree; 0: half of what is free at the start.
  int64_t disk_bytes_max = int64_t{8} << 30;  // How much the workspace's disk may fill up.
  int64_t tmp_bytes_max = int64_t{1} << 30;   // Size of each private folder; it lives in memory.
};

using Environment = std::vector<std::pair<std::string, std::string>>;

struct Policy {
  Profile profile = Profile::kReadOnly;
  std::string workspace;                      // Absolute path without links; unused by kBrowser.
  std::vector<std::string> protected_paths;   // Relative to the workspace; read-only inside.
  std::vector<std::string> writable_folders;  // Absolute, without links; writable in any profile
                                              // but kOff, where everything is.
  std::string quarantine_folder;  // Absolute, outside of the workspace. What a command makes in the
                                  // place of a protected path goes there; "": it is only reported.
  Environment environment;  // Exactly what the command sees (a shell adds PWD). HOME names the
                            // folder that is replaced by an empty one.
  bool debugging = false;   // Allows ptrace(2) between the processes of one command.
  Limits limits;
};

// The environment a command gets: an allow-list of the caller's variables (PATH, LANG, LC_*, TERM,
// TZ, USER, LOGNAME ...) cleaned, plus HOME and TMPDIR inside the sandbox, and what keeps
// interpreters from littering the workspace (PYTHONDONTWRITEBYTECODE ...). Secrets never pass.
Environment default_environment(char* const* caller_environment, Profile profile);

// The paths in a workspace that make trusted programs outside run or load something: git's hooks
// and configuration (of submodules too), `.git` itself where it is a file, editor and agent
// settings. Paths that do not exist are listed as well: they are watched
// (ExitReport::protected_changes).
std::vector<std::string> default_protected_paths(const std::string& workspace);

}  // namespace levin::sandbox
