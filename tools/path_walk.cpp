#include "tools/path_walk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>

namespace levin::tools {
namespace {

constexpr const char* kOutside = "outside the repository";

Error refused(const char* reason) {
  return Error(ErrorCode::kInvalidArgument, reason);
}

Error missing(std::string_view path) {
  return Error(ErrorCode::kNotFound, "no " + std::string(path));
}

Error io_error(const std::string& doing) {
  return Error(ErrorCode::kIo, doing + ": " + std::strerror(errno));
}

// Filesystems that ignore case would open `.GIT` as `.git`.
bool is_git_folder(const std::string& name) {
  return name.size() == 4 && ::strcasecmp(name.c_str(), ".git") == 0;
}

// What programs outside act on by themselves, at the top of the workspace; the sandbox keeps commands
// from them (default_protected_paths()), so edits must not be the way round.
bool is_acted_on(const std::string& name) {
  static constexpr const char* kNames[] = {".vscode", ".idea",  ".zed",    ".mcp.json",
                                           ".envrc",  ".levin", ".cursor", ".claude"};
  return std::any_of(std::begin(kNames), std::end(kNames), [&](const char* known) {
    return ::strcasecmp(name.c_str(), known) == 0;
  });
}

std::deque<std::string> split(std::string_view path) {
  std::deque<std::string> parts;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0 && path.substr(0, slash) != ".") parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

// Holds every folder from the root to where it stands, so that `..` is a step back to a folder we
// came through and never a question to the kernel.
class Walker {
 public:
  Walker(const Root& root, std::string_view path, Purpose purpose)
      : root_(root), asked_(path), purpose_(purpose) {}

  Result<Place> walk(std::string_view path) {
    todo_ = split(path);
    while (!todo_.empty()) {
      if (names_.size() + todo_.size() > kComponentsMax) return missing(asked_);
      const std::string name = std::move(todo_.front());
      todo_.pop_front();
      if (name == "..") {
        if (names_.empty()) return refused(kOutside);
        names_.pop_back();
        folders_.pop_back();
        continue;
      }
      if (purpose_ != Purpose::kRead && is_git_folder(name)) return refused("git's own files");
      if (purpose_ != Purpose::kRead && names_.empty() && is_acted_on(name)) {
        return refused("a protected path");
      }
      UniqueFd entry = open_component(here(), name, O_PATH);
      if (!entry) {
        if (errno != ENOENT && errno != ENAMETOOLONG) return io_error("cannot open " + name);
        if (todo_.empty()) return place(UniqueFd(), name, here());
        TRY_ASSIGN(entry, make_folder(name));
      }
      struct stat status {};
      if (::fstat(entry.get(), &status) != 0) return io_error("cannot stat " + name);
      if (S_ISLNK(status.st_mode)) {
        TRY(follow_link(entry.get()));
      } else if (S_ISDIR(status.st_mode)) {
        TRY(enter(std::move(entry), name));
      } else if (todo_.empty()) {
        return place(std::move(entry), name, here());
      } else {
        return missing(asked_);
      }
    }
    return this_folder();
  }

 private:
  int here() const { return folders_.empty() ? root_.folder.get() : folders_.back().get(); }

  Result<void> enter(UniqueFd entry, const std::string& name) {
    struct statfs system {};
    if (::fstatfs(entry.get(), &system) != 0) return io_error("cannot stat " + name);
    // Its links lead to other processes' files, whatever their text says.
    if (system.f_type == PROC_SUPER_MAGIC) return refused("a proc file system");
    folders_.push_back(std::move(entry));
    names_.push_back(name);
    return {};
  }

  Result<UniqueFd> make_folder(const std::string& name) {
    if (purpose_ == Purpose::kRead) return missing(asked_);
    for (const std::string& later : todo_) {
      if (later == "..") return missing(asked_);
      if (is_git_folder(later)) return refused("git's own files");
    }
    if (purpose_ == Purpose::kCheckWrite) return missing(asked_);
    if (::mkdirat(here(), name.c_str(), 0777) != 0 && errno != EEXIST) {
      return io_error("cannot make the folder " + name);
    }
    UniqueFd entry = open_component(here(), name, O_PATH | O_DIRECTORY);
    if (!entry) return io_error("cannot open the folder " + name);
    return entry;
  }

  Result<void> follow_link(int link) {
    if (++links_ > kLinksMax) return missing(asked_);
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(link, "", target, sizeof target);
    if (size <= 0) return io_error("cannot read a link");
    const std::string_view text(target, static_cast<size_t>(size));
    std::string_view rest = text;
    if (!below_root(root_, text, rest)) return refused(kOutside);
    if (text.front() == '/') {
      folders_.clear();
      names_.clear();
    }
    std::deque<std::string> parts = split(rest);
    todo_.insert(todo_.begin(), parts.begin(), parts.end());
    return {};
  }

  std::string joined() const {
    std::string path;
    for (const std::string& name : names_) path += (path.empty() ? "" : "/") + name;
    return path;
  }

  Result<Place> place(UniqueFd entry, const std::string& name, int parent) const {
    Place result;
    result.parent = UniqueFd(::fcntl(parent, F_DUPFD_CLOEXEC, 0));
    if (!result.parent) return io_error("cannot hold a folder");
    result.entry = std::move(entry);
    if (result.entry && ::fstat(result.entry.get(), &result.status) != 0) {
      return io_error("cannot stat " + name);
    }
    result.name = name;
    result.path = joined();
    if (name != ".") result.path += (result.path.empty() ? "" : "/") + name;
    if (result.path.empty()) result.path = ".";
    return result;
  }

  Result<Place> this_folder() {
    if (names_.empty()) {
      return place(UniqueFd(::fcntl(here(), F_DUPFD_CLOEXEC, 0)), ".", here());
    }
    UniqueFd entry = std::move(folders_.back());
    const std::string name = std::move(names_.back());
    folders_.pop_back();
    names_.pop_back();
    return place(std::move(entry), name, here());
  }

  const Root& root_;
  std::string_view asked_;
  Purpose purpose_;
  std::deque<std::string> todo_;
  std::vector<UniqueFd> folders_;
  std::vector<std::string> names_;
  int links_ = 0;
};

}  // namespace

UniqueFd open_component(int folder, const std::string& name, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned long long>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how);
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  if (errno != ENOSYS && errno != EPERM) return UniqueFd();
  return UniqueFd(::openat(folder, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
}

UniqueFd open_below(int folder, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned long long>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const long fd = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  if (errno != ENOSYS && errno != EPERM) return UniqueFd();
  const std::deque<std::string> parts = split(path);
  UniqueFd held;
  if (std::find(parts.begin(), parts.end(), "..") != parts.end()) return held;
  for (size_t index = 0; index + 1 < parts.size(); ++index) {
    held = open_component(held ? held.get() : folder, parts[index], O_PATH | O_DIRECTORY);
    if (!held) return UniqueFd();
  }
  return open_component(held ? held.get() : folder, parts.empty() ? "." : parts.back(), flags);
}

bool below_root(const Root& root, std::string_view path, std::string_view& rest) {
  rest = path;
  if (path.empty() || path.front() != '/') return true;
  for (const std::string& name : root.names) {
    const std::string_view prefix = name == "/" ? std::string_view() : std::string_view(name);
    if (!path.starts_with(prefix)) continue;
    rest = path.substr(prefix.size());
    if (rest.empty() || rest.front() == '/') return true;
  }
  return false;
}

Result<Place> walk_path(const Root& root, std::string_view path, Purpose purpose) {
  if (path.find('\0') != std::string_view::npos) return refused("a NUL byte in the path");
  std::string_view rest;
  if (!below_root(root, path, rest)) return refused(kOutside);
  TRY_ASSIGN(Place place, Walker(root, path, purpose).walk(rest));
  const bool wants_folder = rest.ends_with('/') || rest.ends_with("/.");
  if (wants_folder && !place.is_folder()) {
    if (purpose == Purpose::kRead) return missing(path);
    return Error(ErrorCode::kUnsupported, std::string(path) + " is not the name of a file");
  }
  return place;
}

}  // namespace levin::tools
