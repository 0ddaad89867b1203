#include "sandbox/repository_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "sandbox/git_folder.h"

namespace levin::sandbox {
namespace {

constexpr size_t kConfigBytesMax = size_t{1} << 20;
constexpr size_t kHooksMax = 1000;  // Of one folder.
// A folder that changed so shortly before it was read may change again within one tick of the file
// system's clock: it is read once more the next time.
constexpr int64_t kTickNs = 50'000'000;

UniqueFd open_beneath(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof(how))));
}

std::optional<struct stat> stat_beneath(int root, const std::string& path) {
  struct stat status {};
  const char* name = path.empty() ? "." : path.c_str();
  if (::fstatat(root, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return status;
}

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + '/' + name;
}

// Nothing when it is no regular file, or larger than any configuration.
std::optional<std::string> small_file(int root, const std::string& path) {
  const UniqueFd file = open_beneath(root, path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  std::string text(kConfigBytesMax, '\0');
  const ssize_t count = ::read(file.get(), text.data(), text.size());
  if (count < 0 || static_cast<size_t>(count) == text.size()) return std::nullopt;
  text.resize(static_cast<size_t>(count));
  return text;
}

std::unique_ptr<DIR, int (*)(DIR*)> open_list(int root, const std::string& path) {
  UniqueFd fd = open_beneath(root, path, O_RDONLY | O_DIRECTORY);
  DIR* list = fd ? ::fdopendir(fd.get()) : nullptr;
  if (list != nullptr) (void)fd.release();
  return {list, ::closedir};
}

bool is_dots(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

// Large, and nothing in it is a repository.
bool is_store(const std::string& name) {
  return name == "objects" || name == "refs" || name == "logs" || name == "hooks";
}

}  // namespace

RepositoryScan::RepositoryScan(const std::string& workspace)
    : workspace_(workspace),
      root_(::open(workspace.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) {
  first_was_complete_ = walk();
  known_ = armed_paths();
}

bool RepositoryScan::read_folder(const std::string& path, Folder& folder) const {
  const auto list = open_list(root_.get(), path);
  if (!list) return false;
  folder.subfolders.clear();
  folder.has_git_file = false;
  bool head = false;
  bool store = false;
  while (const dirent* item = ::readdir(list.get())) {
    if (is_dots(item->d_name)) continue;
    const std::string name = item->d_name;
    bool is_folder = item->d_type == DT_DIR;
    if (item->d_type == DT_UNKNOWN) {
      const auto status = stat_beneath(root_.get(), join(path, name));
      is_folder = status && S_ISDIR(status->st_mode);
    }
    head |= name == "HEAD";
    store |= name == "objects" || name == "commondir";
    if (is_folder) folder.subfolders.push_back(name);
    if (name == ".git" && !is_folder) folder.has_git_file = true;
  }
  const bool is_dot_git = path == ".git" || path.ends_with("/.git");
  folder.is_git = is_dot_git || (head && store);
  if (folder.is_git) std::erase_if(folder.subfolders, is_store);
  return true;
}

// Brings folders_ up to date. False when there are too many.
bool RepositoryScan::walk() {
  ++number_;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const int64_t settled_ns = nanoseconds(now) - kTickNs;
  std::vector<std::string> waiting = {""};
  size_t count = 0;
  bool is_complete = true;
  while (!waiting.empty()) {
    const std::string path = std::move(waiting.back());
    waiting.pop_back();
    const auto status = stat_beneath(root_.get(), path);
    if (!status || !S_ISDIR(status->st_mode)) continue;
    if (++count > kScanFoldersMax) {
      is_complete = false;
      break;
    }
    Folder& folder = folders_[path];
    Identity identity{status->st_ino, nanoseconds(status->st_ctim)};
    if (folder.identity != identity) {
      if (!read_folder(path, folder)) continue;
      if (identity.changed_ns >= settled_ns) identity.changed_ns = 0;
      folder.identity = identity;
    }
    folder.seen = number_;
    for (const std::string& name : folder.subfolders) waiting.push_back(join(path, name));
  }
  std::erase_if(folders_, [&](const auto& entry) { return entry.second.seen != number_; });
  return is_complete;
}

void RepositoryScan::check_config(const std::string& path,
                                  std::map<std::string, Identity>& armed) const {
  const auto status = stat_beneath(root_.get(), path);
  if (!status) return;
  const auto text = small_file(root_.get(), path);
  if (text && is_inert_git_config(*text)) return;
  armed[path] = {status->st_ino, nanoseconds(status->st_ctim)};
}

// A `.git` that is a file or a link: harmless when it leads to a folder of this workspace, which is
// looked at like any other.
void RepositoryScan::check_git_file(const std::string& path,
                                    std::map<std::string, Identity>& armed) const {
  const auto status = stat_beneath(root_.get(), path);
  if (!status) return;
  if (const auto text = small_file(root_.get(), path)) {
    namespace fs = std::filesystem;
    const fs::path target = git_file_target(*text);
    std::error_code error;
    const fs::path real = fs::canonical(
        target.is_absolute() ? target : fs::path(workspace_) / path / ".." / target, error);
    const std::string relative = real.lexically_relative(workspace_).string();
    if (!target.empty() && !error && folders_.count(relative) > 0) return;
  }
  armed[path] = {status->st_ino, nanoseconds(status->st_ctim)};
}

// REPOSITORY/worktrees/NAME of a repository that is known.
bool RepositoryScan::is_worktree_folder(const std::string& git) const {
  const size_t name = git.rfind('/');
  if (name == std::string::npos || name == 0) return false;
  const size_t worktrees = git.rfind('/', name - 1);
  if (worktrees == std::string::npos) return false;
  const auto repository = folders_.find(git.substr(0, worktrees));
  return git.substr(worktrees, name - worktrees) == "/worktrees" && repository != folders_.end() &&
         repository->second.is_git;
}

void RepositoryScan::find_armed(const std::string& git,
                                std::map<std::string, Identity>& armed) const {
  const auto add = [&](const std::string& path) {
    const auto status = stat_beneath(root_.get(), path);
    if (status) armed[path] = {status->st_ino, nanoseconds(status->st_ctim)};
  };
  check_config(git + "/config", armed);
  check_config(git + "/config.worktree", armed);
  const auto info = stat_beneath(root_.get(), git + "/info");
  if (info && !S_ISDIR(info->st_mode)) add(git + "/info");
  add(git + "/info/attributes");
  // It names the folder whose configuration counts: right only in a worktree's folder, where that
  // is the repository two folders up, which is looked at itself.
  const auto text = small_file(root_.get(), git + "/commondir");
  if (!is_worktree_folder(git) || text != "../..\n") add(git + "/commondir");
  const std::string hooks = git + "/hooks";
  const auto status = stat_beneath(root_.get(), hooks);
  if (!status) return;
  if (!S_ISDIR(status->st_mode)) return add(hooks);
  const auto list = open_list(root_.get(), hooks);
  if (!list) return add(hooks);
  size_t count = 0;
  while (const dirent* item = ::readdir(list.get())) {
    if (is_dots(item->d_name) || is_sample_hook(item->d_name)) continue;
    if (++count > kHooksMax) return add(hooks);
    add(join(hooks, item->d_name));
  }
}

std::map<std::string, RepositoryScan::Identity> RepositoryScan::armed_paths() const {
  std::map<std::string, Identity> armed;
  for (const auto& [path, folder] : folders_) {
    if (folder.is_git) find_armed(path.empty() ? "." : path, armed);
    if (folder.has_git_file) check_git_file(join(path, ".git"), armed);
  }
  return armed;
}

// Whether `path` and the folders above it, up to the git folder, have stayed as they are since
// then. Renaming a folder changes its own time alone.
bool RepositoryScan::is_older(const std::string& path, int64_t since_ns) const {
  for (std::string at = path; !at.empty();) {
    const auto status = stat_beneath(root_.get(), at);
    if (!status || nanoseconds(status->st_ctim) >= since_ns) return false;
    const auto folder = folders_.find(at);
    if (folder != folders_.end() && folder->second.is_git) break;
    const size_t slash = at.rfind('/');
    at = slash == std::string::npos ? "" : at.substr(0, slash);
  }
  return true;
}

void RepositoryScan::adopt() {
  const std::lock_guard lock(mutex_);
  (void)walk();
  known_ = armed_paths();
}

ScanChanges RepositoryScan::look(const timespec& since) {
  const std::lock_guard lock(mutex_);
  ScanChanges changes;
  changes.is_complete = walk();
  std::map<std::string, Identity> now = armed_paths();
  for (const auto& [path, identity] : now) {
    const auto before = known_.find(path);
    if (before != known_.end()) {
      const bool is_ours = identity.changed_ns >= nanoseconds(since);
      if (is_ours && before->second != identity) changes.changed.push_back(path);
    } else if (!is_older(path, nanoseconds(since))) {
      changes.appeared.push_back(path);
    }
  }
  known_ = std::move(now);
  return changes;
}

}  // namespace levin::sandbox
