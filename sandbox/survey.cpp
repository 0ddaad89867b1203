// The part of plan.h that looks at the machine: which system folders exist, what in them is secret,
// which toolchains the home holds, and where the protected paths of the workspace really are.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/file_io.h"
#include "sandbox/plan.h"

namespace levin::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemFolders[] = {"/usr",   "/bin",    "/sbin", "/lib", "/lib32",
                                          "/lib64", "/libx32", "/etc",  "/opt", "/nix/store"};

// Named because their permissions alone do not always give them away.
constexpr const char* kSecretPlaces[] = {
    "/etc/shadow",        "/etc/shadow-",         "/etc/gshadow",
    "/etc/gshadow-",      "/etc/machine-id",      "/etc/ssh",
    "/etc/ssl/private",   "/etc/sudoers",         "/etc/sudoers.d",
    "/etc/krb5.keytab",   "/etc/wireguard",       "/etc/openvpn",
    "/etc/letsencrypt",   "/etc/kubernetes",      "/etc/docker",
    "/etc/cloud",         "/etc/netplan",         "/etc/NetworkManager",
    "/etc/apt/auth.conf", "/etc/apt/auth.conf.d", "/etc/environment",
    "/etc/pip.conf",      "/etc/npmrc",           "/etc/gitconfig"};

constexpr const char* kFontCache = "/var/cache/fontconfig";

// A bound on the number of mounts; /etc of a usual machine has about ten such entries.
constexpr size_t kHiddenMax = 200;

constexpr const char* kToolchains[] = {".pyenv",
                                       ".cargo/bin",
                                       ".cargo/registry",
                                       ".rustup",
                                       ".nvm",
                                       ".local/bin",
                                       ".local/lib",
                                       ".local/pipx",
                                       ".local/share/pnpm",
                                       ".local/share/uv",
                                       ".local/share/mise",
                                       "go/bin",
                                       "go/pkg",
                                       ".goenv",
                                       ".rbenv",
                                       ".nodenv",
                                       ".asdf",
                                       ".volta",
                                       ".bun/bin",
                                       ".deno/bin",
                                       ".sdkman",
                                       ".jenv",
                                       ".dotnet",
                                       ".ghcup",
                                       ".juliaup",
                                       ".m2/repository",
                                       "miniconda3",
                                       "miniforge3",
                                       "anaconda3"};

std::optional<struct stat> stat_link(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

std::string real_path(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return "";
  std::string result = resolved;
  std::free(resolved);
  return result;
}

bool is_real_folder(const std::string& path) {
  const auto status = stat_link(path);
  return status && S_ISDIR(status->st_mode);
}

void hide(const std::string& path, HostView& host) {
  const auto status = stat_link(path);
  if (!status) return;
  if (S_ISDIR(status->st_mode)) host.hidden_folders.push_back(path);
  if (S_ISREG(status->st_mode)) host.hidden_files.push_back(path);
}

bool is_hidden(const std::string& path, const HostView& host) {
  if (std::ranges::find(host.hidden_files, path) != host.hidden_files.end()) return true;
  return std::ranges::any_of(host.hidden_folders,
                             [&](const std::string& folder) { return is_inside(path, folder); });
}

// Hides what this user may read in /etc and a stranger may not. Matters for root, whose files the
// command would otherwise read, and for members of groups such as `shadow`.
Result<void> hide_restricted(HostView& host) {
  std::error_code error;
  fs::recursive_directory_iterator it("/etc", fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const std::string path = it->path().string();
    const auto status = stat_link(path);
    if (!status || is_hidden(path, host)) {
      if (it->is_directory(error)) it.disable_recursion_pending();
      continue;
    }
    const bool folder = S_ISDIR(status->st_mode);
    const mode_t needed = folder ? S_IROTH | S_IXOTH : S_IROTH;
    if ((!folder && !S_ISREG(status->st_mode)) || (status->st_mode & needed) == needed) continue;
    if (folder) it.disable_recursion_pending();
    if (::access(path.c_str(), R_OK) == 0) hide(path, host);
    if (host.hidden_files.size() + host.hidden_folders.size() > kHiddenMax) {
      return Error(ErrorCode::kLimit, "more than " + std::to_string(kHiddenMax) +
                                          " entries of /etc are readable for this user only");
    }
  }
  return {};
}

// HOME where it can be replaced by an empty folder; "" where that would cover something else
// (service users have homes such as /usr/sbin or /).
std::string replaceable_home(const std::string& value) {
  if (!value.starts_with('/')) return "";
  std::string home = fs::path(value).lexically_normal().string();
  while (home.size() > 1 && home.ends_with('/')) home.pop_back();
  for (const char* folder : {"/", "/tmp", "/var", "/var/tmp", "/home"}) {
    if (home == folder) return "";
  }
  for (const char* folder : {"/proc", "/dev", "/sys", "/run", "/usr", "/bin", "/sbin", "/etc"}) {
    if (is_inside(home, folder)) return "";
  }
  return home;
}

Result<void> check_folder(const std::string& what, const std::string& workspace,
                          const std::string& home) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::kInvalidArgument, what + " '" + workspace + "': " + why);
  };
  if (workspace.empty() || workspace[0] != '/') return refuse("not an absolute path");
  if (!is_real_folder(workspace)) return refuse("not an existing folder");
  const std::string resolved = real_path(workspace);
  if (resolved != workspace) return refuse("has a link or '..' in it; it is really " + resolved);
  if (!home.empty() && (is_inside(home, workspace) || is_inside(real_path(home), workspace))) {
    return refuse("holds the home folder, whose secrets every command would see");
  }
  for (const char* folder : {"/proc", "/dev", "/sys", "/run", "/etc"}) {
    if (is_inside(workspace, folder)) return refuse(std::string("is part of ") + folder);
  }
  for (const char* folder : {"/", "/usr", "/bin", "/lib", "/opt", "/tmp", "/var", "/var/tmp"}) {
    if (workspace == folder) return refuse("is a system folder");
  }
  return {};
}

std::vector<std::string> system_folders() {
  std::vector<std::string> found;
  for (const char* folder : kSystemFolders) {
    if (is_real_folder(folder)) found.emplace_back(folder);
  }
  return found;
}

std::string read_line(const std::string& path) {
  constexpr size_t kLineBytesMax = 2 * PATH_MAX;
  auto content = read_file(path, kLineBytesMax);
  if (!content) return "";
  return content->substr(0, content->find('\n'));
}

// Where `.git` is a file: the folders it names, but only when the repository itself points back at
// this workspace. A `.git` file that somebody wrote must not open ~/.ssh by naming it.
std::vector<std::string> linked_git_folders(const std::string& workspace) {
  const std::string git_file = workspace + "/.git";
  const auto status = stat_link(git_file);
  if (!status || !S_ISREG(status->st_mode)) return {};
  const std::string line = read_line(git_file);
  if (!line.starts_with("gitdir: /")) return {};
  const std::string folder = real_path(line.substr(8));
  if (folder.empty() || is_inside(folder, workspace)) return {};
  if (real_path(read_line(folder + "/gitdir")) != git_file) return {};
  const fs::path worktrees = fs::path(folder).parent_path();
  const std::string common = worktrees.parent_path().string();
  if (worktrees.filename() != "worktrees" || is_inside(workspace, common)) return {};
  if (!is_real_folder(common + "/objects") || !stat_link(common + "/HEAD")) return {};
  return {common};
}

// True when no component of `relative` below `workspace` is a link and the whole exists. Fills
// `folders` with the absolute folders on the way, outermost first.
bool walk_without_links(const std::string& workspace, const std::string& relative,
                        std::vector<std::string>& folders) {
  std::string path = workspace;
  size_t start = 0;
  while (start < relative.size()) {
    const size_t end = std::min(relative.find('/', start), relative.size());
    const std::string name = relative.substr(start, end - start);
    start = end + 1;
    if (name.empty() || name == ".") continue;
    if (name == "..") return false;
    if (path != workspace) folders.push_back(path);
    path += "/" + name;
    const auto status = stat_link(path);
    if (!status || S_ISLNK(status->st_mode)) return false;
  }
  return path != workspace;
}

void add_guard(const std::string& workspace, const std::string& relative, WorkspaceView& view) {
  std::vector<std::string> folders;
  if (!walk_without_links(workspace, relative, folders)) return;
  const auto add_once = [](std::vector<std::string>& list, const std::string& path) {
    if (std::ranges::find(list, path) == list.end()) list.push_back(path);
  };
  for (const std::string& folder : folders) add_once(view.pins, folder);
  add_once(view.guards, workspace + "/" + relative);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> toolchain_folders(const std::string& home) {
  std::vector<std::pair<std::string, std::string>> found;
  const std::string real_home = real_path(home);
  if (real_home.empty()) return found;
  for (const char* name : kToolchains) {
    const std::string place = home + "/" + name;
    const std::string source = real_path(place);
    if (source.empty() || !is_real_folder(source) || is_inside(real_home, source)) continue;
    found.emplace_back(source, place);
  }
  return found;
}

Result<HostView> survey_host(const Policy& policy) {
  HostView host;
  host.home = replaceable_home(environment_value(policy.environment, "HOME"));
  if (policy.profile != Profile::kBrowser) {
    TRY(check_folder("workspace", policy.workspace, host.home));
  }
  for (const std::string& folder : policy.writable_folders) {
    TRY(check_folder("writable folder", folder, host.home));
  }
  host.system_folders = system_folders();
  // Without the machine's cache of fonts, a browser looks at every font file when it starts.
  if (policy.profile == Profile::kBrowser && is_real_folder(kFontCache)) {
    host.system_folders.emplace_back(kFontCache);
  }
  for (const char* folder : kSystemFolders) {
    const auto status = stat_link(folder);
    if (!status || !S_ISLNK(status->st_mode)) continue;
    std::error_code error;
    host.root_links.emplace_back(folder, fs::read_symlink(folder, error).string());
  }
  for (const char* place : kSecretPlaces) hide(place, host);
  TRY(hide_restricted(host));
  if (!host.home.empty()) host.toolchains = toolchain_folders(host.home);
  if (policy.profile != Profile::kBrowser) {
    host.git_folders = linked_git_folders(policy.workspace);
  }
  return host;
}

WorkspaceView survey_workspace(const Policy& policy) {
  WorkspaceView view;
  for (const std::string& relative : policy.protected_paths) {
    add_guard(policy.workspace, relative, view);
    // A link on the way: guard what it leads to, as long as that is ours to guard.
    const std::string target = real_path(policy.workspace + "/" + relative);
    if (target.empty() || target == policy.workspace) continue;
    if (!is_inside(target, policy.workspace)) continue;
    add_guard(policy.workspace, target.substr(policy.workspace.size() + 1), view);
  }
  // A guard must be mounted after the pins above it, and an outer one before an inner one; a pin
  // below a guarded folder would make a part of it writable again.
  std::ranges::sort(view.pins);
  std::ranges::sort(view.guards);
  std::erase_if(view.pins, [&](const std::string& pin) {
    return std::ranges::any_of(view.guards,
                               [&](const std::string& guard) { return is_inside(pin, guard); });
  });
  return view;
}

std::vector<std::string> default_protected_paths(const std::string& workspace) {
  std::vector<std::string> paths = {".git/hooks",
                                    ".git/config",
                                    ".git/config.worktree",
                                    ".git/info/attributes",
                                    ".git/info/exclude",
                                    ".vscode",
                                    ".idea",
                                    ".zed",
                                    ".mcp.json",
                                    ".envrc",
                                    ".levin",
                                    ".cursor",
                                    ".claude"};
  const auto git = stat_link(workspace + "/.git");
  if (git && !S_ISDIR(git->st_mode)) paths.insert(paths.begin(), ".git");
  // Every submodule's repository has hooks and a configuration of its own, at any depth.
  constexpr int kSubmoduleEntriesMax = 20'000;
  const fs::path modules = fs::path(workspace) / ".git/modules";
  std::error_code error;
  fs::recursive_directory_iterator it(modules, fs::directory_options::skip_permission_denied,
                                      error);
  for (int seen = 0; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (++seen > kSubmoduleEntriesMax) break;
    const std::string name = it->path().filename().string();
    if (name == "objects" || name == "refs" || name == "logs") it.disable_recursion_pending();
    if (name != "hooks" && name != "config" && name != "attributes") continue;
    if (name == "hooks") it.disable_recursion_pending();
    paths.push_back(fs::relative(it->path(), workspace, error).string());
  }
  return paths;
}

}  // namespace levin::sandbox
