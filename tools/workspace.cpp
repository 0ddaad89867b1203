#include "tools/workspace.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>

#include "base/file_io.h"

namespace levin::tools {
namespace {

Error io_error(const std::string& doing) {
  return Error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               doing + ": " + std::strerror(errno));
}

Result<Root> open_root(const std::string& folder) {
  if (folder.empty() || folder.front() != '/') {
    return Error(ErrorCode::kInvalidArgument, "not an absolute folder: " + folder);
  }
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(folder.c_str(), nullptr),
                                                         &std::free);
  if (!real) return io_error("cannot open the folder " + folder);
  Root root;
  root.folder = UniqueFd(::open(real.get(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.folder) return io_error("cannot open the folder " + folder);
  root.names.emplace_back(real.get());
  std::string given = folder;
  while (given.size() > 1 && given.back() == '/') given.pop_back();
  if (given != root.names.front()) root.names.push_back(given);
  return root;
}

// Opens the file that a walk found. Another thing put in its place meanwhile is refused.
Result<UniqueFd> open_file(const Place& place) {
  // O_NONBLOCK: a pipe put there must not hang us; it has no effect on regular files.
  UniqueFd fd = open_component(place.parent.get(), place.name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return io_error("cannot read " + place.path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return io_error("cannot stat " + place.path);
  if (!S_ISREG(status.st_mode)) {
    return Error(ErrorCode::kUnsupported, place.path + " is not a regular file");
  }
  return fd;
}

Error wrong_kind(std::string_view path, const Place& place) {
  return Error(
      ErrorCode::kUnsupported,
      std::string(path) + (place.is_folder() ? " is a directory" : " is not a regular file"));
}

constexpr size_t kFolderBufferBytes = 32 << 10;  // Some hundred entries per call.

// A file with a name of its own in a folder, removed unless it was renamed.
class TemporaryFile {
 public:
  TemporaryFile(int folder, mode_t mode) : folder_(folder) {
    for (int attempt = 0; attempt < kAttemptsMax && !fd_; ++attempt) {
      name_ = ".levin-" + std::to_string(::getpid()) + "-" + std::to_string(attempt) + ".tmp";
      fd_ = UniqueFd(::openat(folder_, name_.c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
      if (!fd_ && errno != EEXIST) break;
    }
  }
  ~TemporaryFile() {
    if (fd_ && !renamed_) ::unlinkat(folder_, name_.c_str(), 0);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  int fd() const { return fd_.get(); }

  bool rename_to(const std::string& name) {
    renamed_ = ::renameat(folder_, name_.c_str(), folder_, name.c_str()) == 0;
    return renamed_;
  }

 private:
  static constexpr int kAttemptsMax = 100;
  int folder_;
  std::string name_;
  UniqueFd fd_;
  bool renamed_ = false;
};

// chown before chmod: a change of owner clears the set-id bits.
Result<void> copy_owner_and_mode(int fd, const struct stat& from, const std::string& path) {
  mode_t mode = from.st_mode & 07777;
  struct stat now {};
  if (::fstat(fd, &now) != 0) return io_error("cannot stat " + path);
  if (now.st_uid != from.st_uid || now.st_gid != from.st_gid) {
    // Another owner's set-id program must not become ours with the bits on.
    if (::fchown(fd, from.st_uid, from.st_gid) != 0) mode &= 01777;
  }
  if (::fchmod(fd, mode) != 0) return io_error("cannot set the mode of " + path);
  return {};
}

Result<bool> still_holds(const Place& place, const std::string* expected) {
  UniqueFd entry = open_component(place.parent.get(), place.name, O_PATH);
  if (!entry) return expected == nullptr;
  if (expected == nullptr) return false;
  TRY_ASSIGN(UniqueFd fd, open_file(place));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return io_error("cannot stat " + place.path);
  if (static_cast<size_t>(status.st_size) != expected->size()) return false;
  TRY_ASSIGN(std::string content, read_descriptor(fd.get(), expected->size() + 1, place.path));
  return content == *expected;
}

}  // namespace

Result<std::string> read_descriptor(int fd, size_t bytes_max, const std::string& what) {
  std::string content;
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_error("cannot read " + what);
    if (count == 0) return content;
    content.append(buffer, static_cast<size_t>(count));
    if (content.size() > bytes_max) {
      return Error(ErrorCode::kLimit,
                   what + " holds more than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

Result<Workspace> Workspace::open(const std::string& folder) {
  Workspace workspace;
  TRY_ASSIGN(workspace.root_, open_root(folder));
  return workspace;
}

Result<void> Workspace::allow_reading(const std::string& folder) {
  TRY_ASSIGN(Root root, open_root(folder));
  for (const Root& known : readable_) {
    if (known.names.front() == root.names.front()) return {};
  }
  readable_.push_back(std::move(root));
  return {};
}

Result<Place> Workspace::find(std::string_view path) const {
  std::string_view rest;
  if (!below_root(root_, path, rest)) {
    for (const Root& extra : readable_) {
      if (!below_root(extra, path, rest)) continue;
      TRY_ASSIGN(Place place, walk_path(extra, path, Purpose::kRead));
      // The key of what was seen must not collide with a file of the workspace.
      place.path = extra.names.front() + "/" + place.path;
      return place;
    }
  }
  return walk_path(root_, path, Purpose::kRead);
}

Result<FileData> Workspace::load(std::string_view path, size_t bytes_max) const {
  TRY_ASSIGN(Place place, find(path));
  if (!place.exists()) return Error(ErrorCode::kNotFound, "no " + std::string(path));
  if (!place.is_file()) return wrong_kind(path, place);
  TRY_ASSIGN(UniqueFd fd, open_file(place));
  FileData data;
  TRY_ASSIGN(data.content, read_descriptor(fd.get(), bytes_max, std::string(path)));
  data.real_path = place.path;
  return data;
}

// getdents64(2) itself: a stream of readdir(3) costs four more calls and 32 KiB per folder, which a
// walk over some thousands feels.
Result<std::vector<FolderEntry>> read_folder(int fd) {
  alignas(dirent64) char buffer[kFolderBufferBytes];
  std::vector<FolderEntry> entries;
  for (;;) {
    const ssize_t size = ::getdents64(fd, buffer, sizeof buffer);
    if (size < 0) return io_error("cannot read a folder");
    if (size == 0) return entries;
    for (ssize_t at = 0; at < size;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (entry->d_type != DT_UNKNOWN) {
        entries.push_back({std::string(name), entry->d_type == DT_DIR, entry->d_type == DT_REG});
        continue;
      }
      struct stat status {};
      if (::fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      entries.push_back({std::string(name), S_ISDIR(status.st_mode), S_ISREG(status.st_mode)});
    }
  }
}

Result<std::vector<FolderEntry>> Workspace::list_folder(const Place& folder) const {
  const UniqueFd fd(::openat(folder.entry.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return io_error("cannot read the folder " + folder.path);
  TRY_ASSIGN(std::vector<FolderEntry> entries, read_folder(fd.get()));
  std::sort(entries.begin(), entries.end(),
            [](const FolderEntry& a, const FolderEntry& b) { return a.name < b.name; });
  return entries;
}

Result<Stored> Workspace::store(std::string_view path, std::string_view content,
                                const std::string* expected, std::optional<mode_t> mode) const {
  TRY_ASSIGN(Place place, walk_path(root_, path, Purpose::kWrite));
  if (place.exists() && !place.is_file()) return wrong_kind(path, place);
  // A new file gets what the umask leaves; the copy of a private one is never readable by others.
  TemporaryFile temporary(place.parent.get(), place.exists() ? 0600 : 0666);
  if (temporary.fd() < 0) return io_error("cannot create a file beside " + place.path);
  TRY(write_all(temporary.fd(), content, place.path));
  if (place.exists()) TRY(copy_owner_and_mode(temporary.fd(), place.status, place.path));
  if (mode && ::fchmod(temporary.fd(), *mode & 07777) != 0) {
    return io_error("cannot set the mode of " + place.path);
  }
  if (::fsync(temporary.fd()) != 0) return io_error("cannot sync " + place.path);
  TRY_ASSIGN(const bool unchanged, still_holds(place, expected));
  if (!unchanged) return Stored::kChangedMeanwhile;
  if (!temporary.rename_to(place.name)) return io_error("cannot rename onto " + place.path);
  return Stored::kWritten;
}

Result<Place> Workspace::check_writable(std::string_view path) const {
  TRY_ASSIGN(Place place, walk_path(root_, path, Purpose::kCheckWrite));
  if (place.exists() && !place.is_file()) return wrong_kind(path, place);
  return place;
}

Result<Stored> Workspace::remove(std::string_view path, const std::string& expected) const {
  TRY_ASSIGN(const Place place, check_writable(path));
  if (!place.exists()) return Error(ErrorCode::kNotFound, "no " + std::string(path));
  const size_t slash = path.rfind('/');
  const std::string name(path.substr(slash == std::string_view::npos ? 0 : slash + 1));
  const std::string_view folder = slash == std::string_view::npos ? "." : path.substr(0, slash + 1);
  TRY_ASSIGN(const Place parent, walk_path(root_, folder, Purpose::kRead));
  const UniqueFd named = open_component(parent.entry.get(), name, O_PATH);
  struct stat status {};
  if (!named || ::fstat(named.get(), &status) != 0) return io_error("cannot stat " + place.path);
  if (S_ISLNK(status.st_mode)) {
    return Error(ErrorCode::kUnsupported, std::string(path) + " is a link");
  }
  TRY_ASSIGN(const bool unchanged, still_holds(place, &expected));
  if (!unchanged) return Stored::kChangedMeanwhile;
  if (::unlinkat(place.parent.get(), place.name.c_str(), 0) != 0) {
    return io_error("cannot remove " + place.path);
  }
  return Stored::kWritten;
}

void Workspace::note_seen(const std::string& real_path, std::string_view content) {
  Seen seen;
  seen.hash = std::hash<std::string_view>()(content);
  if (content.size() <= kSeenTextBytesMax) seen.text = std::string(content);
  seen_[real_path] = std::move(seen);
}

const Workspace::Seen* Workspace::changed_since_seen(const std::string& real_path,
                                                     std::string_view content) const {
  const auto found = seen_.find(real_path);
  if (found == seen_.end()) return nullptr;
  return found->second.hash == std::hash<std::string_view>()(content) ? nullptr : &found->second;
}

}  // namespace levin::tools
