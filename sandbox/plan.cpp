// The pure part of plan.h: the order of the mounts. Later operations cover earlier ones, so the
// order is the policy: system, private folders, home, toolchains, workspace, and at last the seals.
#include "sandbox/plan.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"

namespace levin::sandbox {
namespace {

using Kind = MountOp::Kind;

// Folders of `home` that tools expect to write. The rest of it is sealed: a file written there
// would be gone with the session, and an error says so better than silence.
constexpr const char* kWritableHomeFolders[] = {".cache", ".config", ".npm"};
constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
constexpr const char* kHostName = "levin";
constexpr int64_t kNiceness = 5;
constexpr int64_t kSmallBytes = 4 << 20;  // Of folders that hold nothing but other mounts.

class Mounts {
 public:
  explicit Mounts(const Limits& limits) : limits_(limits) {}
  void bind(const std::string& source, const std::string& target, bool read_only) {
    list_.push_back({Kind::kBind, source, target, read_only, 0755, 0});
  }
  void read_only(const std::string& path) { bind(path, path, true); }
  void tmpfs(const std::string& path, int64_t mode, int64_t size_bytes) {
    list_.push_back({Kind::kTmpfs, "", path, false, mode, size_bytes});
  }
  void tmpfs(const std::string& path, int64_t mode) { tmpfs(path, mode, limits_.tmp_bytes_max); }
  void link(const std::string& text, const std::string& path) {
    list_.push_back({Kind::kSymlink, text, path, false, 0755, 0});
  }
  void add(Kind kind, const std::string& path) {
    list_.push_back({kind, "", path, false, 0755, 0});
  }
  void device(const std::string& path) {
    list_.push_back({Kind::kDevice, path, path, false, 0755, 0});
  }
  std::vector<MountOp> take() { return std::move(list_); }

 private:
  const Limits& limits_;
  std::vector<MountOp> list_;
};

void add_devices(Mounts& mounts) {
  mounts.tmpfs("/dev", 0755, kSmallBytes);
  for (const char* name : kDevices) mounts.device(std::string("/dev/") + name);
  mounts.add(Kind::kTerminals, "/dev/pts");
  mounts.link("pts/ptmx", "/dev/ptmx");
  mounts.link("/proc/self/fd", "/dev/fd");
  mounts.link("/proc/self/fd/0", "/dev/stdin");
  mounts.link("/proc/self/fd/1", "/dev/stdout");
  mounts.link("/proc/self/fd/2", "/dev/stderr");
  mounts.tmpfs("/dev/shm", 01777);
}

void add_system(Mounts& mounts, const HostView& host) {
  for (const std::string& folder : host.system_folders) mounts.read_only(folder);
  for (const auto& [link, target] : host.root_links) mounts.link(target, link);
  for (const std::string& folder : host.hidden_folders) mounts.add(Kind::kHideFolder, folder);
  for (const std::string& file : host.hidden_files) mounts.add(Kind::kHideFile, file);
  mounts.add(Kind::kProc, "/proc");
  add_devices(mounts);
  for (const char* folder : {"/tmp", "/var/tmp"}) mounts.tmpfs(folder, 01777);
  mounts.tmpfs("/run", 0755, kSmallBytes);
  mounts.link("../run", "/var/run");
}

void add_home(Mounts& mounts, const HostView& host) {
  if (host.home.empty()) return;
  mounts.tmpfs(host.home, 0755, kSmallBytes);
  for (const char* name : kWritableHomeFolders) mounts.tmpfs(host.home + "/" + name, 0755);
  for (const auto& [source, place] : host.toolchains) mounts.bind(source, place, true);
}

// The folders that lead to a mount point are made on the root and on the home, both writable: they
// are sealed last, when nothing has to be made any more.
void add_seals(Mounts& mounts, const HostView& host) {
  if (!host.home.empty()) mounts.add(Kind::kSeal, host.home);
  mounts.add(Kind::kSeal, "/dev");
  mounts.add(Kind::kSeal, "/");
}

std::vector<std::string> write_rights(const Policy& policy, const HostView& host) {
  std::vector<std::string> folders = {"/tmp", "/var/tmp", "/dev", "/run"};
  if (!host.home.empty()) {
    for (const char* name : kWritableHomeFolders) folders.push_back(host.home + "/" + name);
  }
  folders.insert(folders.end(), policy.writable_folders.begin(), policy.writable_folders.end());
  if (policy.profile == Profile::kWorkspace) folders.push_back(policy.workspace);
  return folders;
}

// Paths of `list`, all below the workspace, relative to it.
std::vector<std::string> relative(const std::vector<std::string>& list,
                                  const std::string& workspace) {
  std::vector<std::string> result;
  for (const std::string& path : list) result.push_back(path.substr(workspace.size() + 1));
  return result;
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

CellPlan plan_cell(const Policy& policy, const HostView& host) {
  CHECK(policy.profile != Profile::kOff);
  Mounts mounts(policy.limits);
  add_system(mounts, host);
  add_home(mounts, host);
  for (const std::string& folder : host.git_folders) mounts.read_only(folder);
  for (const std::string& folder : policy.writable_folders) mounts.bind(folder, folder, false);
  CellPlan plan;
  if (policy.profile != Profile::kBrowser) {
    CHECK(!policy.workspace.empty());
    plan.workspace = policy.workspace;
    mounts.bind(policy.workspace, policy.workspace, policy.profile == Profile::kReadOnly);
  }
  add_seals(mounts, host);
  plan.mounts = mounts.take();
  plan.write_below = write_rights(policy, host);
  plan.host_name = kHostName;
  return plan;
}

CommandPlan plan_command(const Policy& policy, const WorkspaceView& workspace,
                         const Command& command) {
  CommandPlan plan;
  plan.argv = command.argv;
  plan.programs =
      program_candidates(command.argv[0], environment_value(policy.environment, "PATH"));
  for (const auto& [name, value] : policy.environment) {
    plan.environment.push_back(name + "=" + value);
  }
  const std::string base = policy.profile == Profile::kBrowser ? "/tmp" : policy.workspace;
  plan.working_folder = command.working_folder.empty() ? base : base + "/" + command.working_folder;
  if (policy.profile == Profile::kWorkspace) {
    plan.pins = relative(workspace.pins, policy.workspace);
    plan.guards = relative(workspace.guards, policy.workspace);
  }
  plan.fd_count = 3 + static_cast<int64_t>(command.extra_fds.size());
  plan.pty = command.pty;
  plan.rows = command.rows;
  plan.columns = command.columns;
  plan.processes_max = policy.limits.processes_max;
  plan.open_files_max = policy.limits.open_files_max;
  plan.file_size_bytes_max = policy.limits.file_size_bytes_max;
  plan.cpu_ms_max = policy.limits.cpu_ms;
  plan.memory_bytes_max = policy.limits.memory_bytes_max;
  // A person or a check waits for the browser; a build may take a little longer.
  plan.niceness = policy.profile == Profile::kBrowser ? 0 : kNiceness;
  plan.watch_processes = true;
  return plan;
}

std::vector<std::string> launch_argv(const std::vector<std::string>& command) {
  std::vector<std::string> argv = {"/bin/sh", "-c", "exec \"$@\"", "sh"};
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

std::vector<std::string> program_candidates(const std::string& name, const std::string& path) {
  if (name.find('/') != std::string::npos) return {name};
  std::vector<std::string> candidates;
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find(':', start), path.size());
    const std::string folder = path.substr(start, end - start);
    start = end + 1;
    if (folder.starts_with('/')) candidates.push_back(folder + "/" + name);
  }
  // exec has to be told something; this one says "not found".
  if (candidates.empty()) candidates.push_back("/nonexistent/" + name);
  return candidates;
}

}  // namespace levin::sandbox
