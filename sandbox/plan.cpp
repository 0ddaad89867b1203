// The pure part of plan.h: the order of the mounts. Later operations cover earlier ones, so the
// order is the policy: system, private folders, home, toolchains, workspace, guards, and at last
// the seals.
#include "sandbox/plan.h"

#include <string_view>

#include "base/check.h"

namespace levin::sandbox {
namespace {

// Folders of `home` that tools expect to write. The rest of it is sealed: a file written there
// would be gone with the command, and an error says so better than silence.
constexpr const char* kWritableHomeFolders[] = {".cache", ".config", ".npm"};

class Arguments {
 public:
  template <typename... Words>
  void add(Words&&... words) {
    (list_.emplace_back(std::forward<Words>(words)), ...);
  }
  void add_tmpfs(const std::string& path, const char* mode) {
    add("--perms", mode, "--size", std::to_string(kTmpfsBytesMax), "--tmpfs", path);
  }
  void add_bind(const char* kind, const std::string& path) { add(kind, path, path); }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

void add_namespaces(Arguments& arguments, const PlanFds& fds) {
  // --unshare-all would only try for a user namespace; here it is a condition. Nested user
  // namespaces are switched off: they are where most kernel bugs become reachable.
  arguments.add("--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-net",
                "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "levin",
                "--die-with-parent", "--new-session", "--cap-drop", "ALL");
  if (fds.status >= 0) arguments.add("--json-status-fd", std::to_string(fds.status));
  if (fds.block >= 0) arguments.add("--block-fd", std::to_string(fds.block));
}

void add_system(Arguments& arguments, const HostView& host) {
  for (const std::string& folder : host.system_folders) arguments.add_bind("--ro-bind", folder);
  for (const auto& [link, target] : host.root_links) arguments.add("--symlink", target, link);
  for (const std::string& folder : host.hidden_folders) arguments.add_tmpfs(folder, "0755");
  // Bind mounts are nodev: /dev/null in this place cannot be opened at all.
  for (const std::string& file : host.hidden_files) arguments.add("--ro-bind", "/dev/null", file);
  // bwrap covers only some of /proc. Without this, root inside, though without capabilities, is
  // still the owner of /proc/sys and could name a program in kernel.core_pattern that runs outside.
  arguments.add("--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev");
  for (const char* folder : {"/tmp", "/var/tmp"}) arguments.add_tmpfs(folder, "1777");
  arguments.add_tmpfs("/run", "0755");
  arguments.add("--symlink", "../run", "/var/run");
}

void add_home(Arguments& arguments, const HostView& host) {
  if (host.home.empty()) return;
  arguments.add_tmpfs(host.home, "0755");
  for (const char* name : kWritableHomeFolders) {
    arguments.add_tmpfs(host.home + "/" + name, "0755");
  }
  for (const auto& [source, place] : host.toolchains) arguments.add("--ro-bind", source, place);
}

void add_workspace(Arguments& arguments, const Policy& policy, const WorkspaceView& workspace) {
  if (policy.profile == Profile::kReadOnly) {
    arguments.add_bind("--ro-bind", policy.workspace);
    return;
  }
  arguments.add_bind("--bind", policy.workspace);
  for (const std::string& folder : workspace.pins) arguments.add_bind("--bind", folder);
  for (const std::string& path : workspace.guards) arguments.add_bind("--ro-bind", path);
}

// bwrap makes the folders that lead to a mount point on the root tmpfs and on the home tmpfs, both
// writable: seal them last, when nothing has to be made any more.
void add_seals(Arguments& arguments, const HostView& host) {
  if (!host.home.empty()) arguments.add("--remount-ro", host.home);
  arguments.add("--remount-ro", "/");
}

}  // namespace

bool is_inside(const std::string& path, const std::string& folder) {
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string environment_value(const Environment& environment, const std::string& name) {
  for (const auto& [key, value] : environment) {
    if (key == name) return value;
  }
  return "";
}

std::vector<std::string> plan_bubblewrap(const Policy& policy, const HostView& host,
                                         const WorkspaceView& workspace, const PlanFds& fds,
                                         const std::string& working_folder) {
  CHECK(policy.profile != Profile::kOff);
  CHECK(!policy.workspace.empty());
  Arguments arguments;
  arguments.add(host.bubblewrap);
  add_namespaces(arguments, fds);
  add_system(arguments, host);
  add_home(arguments, host);
  for (const std::string& folder : host.git_folders) arguments.add_bind("--ro-bind", folder);
  add_workspace(arguments, policy, workspace);
  add_seals(arguments, host);
  arguments.add("--chdir", working_folder.empty() ? policy.workspace
                                                  : policy.workspace + "/" + working_folder);
  // Again at the very end: what the command sees must not depend on how bwrap itself was started.
  arguments.add("--clearenv");
  for (const auto& [name, value] : policy.environment) arguments.add("--setenv", name, value);
  arguments.add("--");
  return arguments.take();
}

std::vector<std::string> launch_argv(const std::vector<std::string>& command) {
  std::vector<std::string> argv = {"/bin/sh", "-c", "exec \"$@\"", "sh"};
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

}  // namespace levin::sandbox
