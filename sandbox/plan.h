// Policy + facts about the machine -> the ordered argument list of bubblewrap. plan_bubblewrap() is
// pure, so that the mount order can be tested without privileges; survey_host() and
// survey_workspace() look at the machine and are the only part that touches the file system.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/policy.h"

namespace levin::sandbox {

// Facts that hold for as long as a Sandbox lives.
struct HostView {
  std::string bubblewrap;                                       // Absolute path of bwrap.
  std::vector<std::string> system_folders;                      // Bound read-only where they are.
  std::vector<std::pair<std::string, std::string>> root_links;  // "/bin" -> "usr/bin".
  std::vector<std::string> hidden_files;    // Below system folders: covered by an unreadable node.
  std::vector<std::string> hidden_folders;  // Below system folders: covered by an empty folder.
  std::string home;                         // Replaced by an empty folder; "" for none.
  std::vector<std::pair<std::string, std::string>> toolchains;  // Real folder -> place in `home`.
  // Of a linked worktree: the repository's own folder and the worktree's folder in it, outside the
  // workspace. Read-only, because what is in there belongs to other checkouts too.
  std::vector<std::string> git_folders;
};

// The protected paths as they are right now, before one command. All paths are absolute.
struct WorkspaceView {
  // Folders from the workspace down to a guarded path, outermost first. Each becomes a mount of its
  // own: the kernel refuses to rename a mount point, but not a folder that merely contains one, so
  // without this `mv .git x` would take the guard away.
  std::vector<std::string> pins;
  std::vector<std::string> guards;  // Existing protected paths without links: read-only mounts.
};

// File descriptors of the bwrap process (see process.h).
struct PlanFds {
  int status = -1;  // --json-status-fd
  int block = -1;   // --block-fd
};

// Where the size of every private tmpfs stops (they live in memory).
inline constexpr int64_t kTmpfsBytesMax = int64_t{1} << 30;

// Collects the facts. Errors: kUnsupported when bwrap is missing; kInvalidArgument when the
// workspace is not an absolute path of an existing folder without links, or is one that must not be
// opened to a command ("/", the home folder, a folder that contains it, a system folder).
Result<HostView> survey_host(const Policy& policy);

// Splits the protected paths into pins and guards. A path with a link in it is never handed to
// bubblewrap, which would follow it; where it leads to a place inside the workspace, that place is
// guarded. Missing paths are skipped.
WorkspaceView survey_workspace(const Policy& policy);

// The argument list, argv[0] included, up to and without the command. CHECKs profile != kOff.
std::vector<std::string> plan_bubblewrap(const Policy& policy, const HostView& host,
                                         const WorkspaceView& workspace, const PlanFds& fds,
                                         const std::string& working_folder);

// The command as it is started in every profile: through a shell that only execs it, because a
// shell searches the policy's PATH and reports a missing program as exit 127.
std::vector<std::string> launch_argv(const std::vector<std::string>& command);

// Folders of developer tools below `home` that exist and hold no secrets: real folder -> place.
// A folder that is a link to `home`, to a folder above it, or to nowhere is left out.
std::vector<std::pair<std::string, std::string>> toolchain_folders(const std::string& home);

// True when `path` is `folder` or lies below it. Both absolute, compared as text.
bool is_inside(const std::string& path, const std::string& folder);

// The folders of the machine that are visible inside, as far as they exist.
std::vector<std::string> system_folders();

// The absolute path of bwrap, looked for in fixed places only (a program found through PATH could
// be one that a command planted); "" when it is not installed.
std::string find_bubblewrap();

// The value of `name` in `environment`; "" when it is missing.
std::string environment_value(const Environment& environment, const std::string& name);

}  // namespace levin::sandbox
