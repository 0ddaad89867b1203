// Policy + facts about the machine -> what the warden is told. plan_cell() and plan_command() are
// pure, so that the mount order can be tested without privileges; survey_host() and
// survey_workspace() look at the machine and are the only part that touches the file system.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/cell_plan.h"
#include "sandbox/policy.h"
#include "sandbox/process.h"

namespace levin::sandbox {

// Facts that hold for as long as a Sandbox lives.
struct HostView {
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

// Collects the facts. Errors: kInvalidArgument when the workspace is not an absolute path of an
// existing folder without links, or is one that must not be opened to a command ("/", the home
// folder, a folder that contains it, a system folder); the same for writable folders.
Result<HostView> survey_host(const Policy& policy);

// Splits the protected paths into pins and guards. A path with a link in it is never mounted over;
// where it leads to a place inside the workspace, that place is guarded. Missing paths are skipped.
WorkspaceView survey_workspace(const Policy& policy);

// Everything of a cell but its seccomp filter. CHECKs profile != kOff.
CellPlan plan_cell(const Policy& policy, const HostView& host);

// `command` in the cell of `policy`, without cgroups.
CommandPlan plan_command(const Policy& policy, const WorkspaceView& workspace,
                         const Command& command);

// The command as it is started without isolation: through a shell that only execs it, because a
// shell searches the policy's PATH and reports a missing program as exit 127.
std::vector<std::string> launch_argv(const std::vector<std::string>& command);

// What exec should try for `name`: itself when it has a '/', else one path per entry of PATH.
std::vector<std::string> program_candidates(const std::string& name, const std::string& path);

// Folders of developer tools below `home` that exist and hold no secrets: real folder -> place.
// A folder that is a link to `home`, to a folder above it, or to nowhere is left out.
std::vector<std::pair<std::string, std::string>> toolchain_folders(const std::string& home);

// True when `path` is `folder` or lies below it. Both absolute, compared as text.
bool is_inside(const std::string& path, const std::string& folder);

// The value of `name` in `environment`; "" when it is missing.
std::string environment_value(const Environment& environment, const std::string& name);

}  // namespace levin::sandbox
