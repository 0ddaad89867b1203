#include "agent/tree_restore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/tree_reader.h"
#include "base/file_io.h"
#include "base/unique_fd.h"

namespace levin::agent {
namespace {

using Kind = TreeEntry::Kind;

const std::string kTemporary(kRestoreName);

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}
std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// Component by component, so that no link on the way is followed.
UniqueFd open_folder(int root, const std::string& folder) {
  UniqueFd fd(::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (size_t start = 0; fd && start < folder.size();) {
    const size_t end = std::min(folder.find('/', start), folder.size());
    const std::string part = folder.substr(start, end - start);
    fd = UniqueFd(::openat(fd.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    start = end + 1;
  }
  return fd;
}

class Restore {
 public:
  explicit Restore(const RestoreParts& parts) : parts_(parts) {}

  Result<RestoreReport> run() {
    TRY(loosen_folders());
    TRY(remove_files());
    remove_folders();
    TRY(make_folders());
    TRY(write_files());
    set_folder_modes();
    tell_repositories();
    return std::move(report_);
  }

 private:
  Result<void> loosen_folders();
  Result<void> remove_files();
  void remove_folders();
  Result<void> make_folders();
  Result<void> write_files();
  Result<void> write_one(const std::string& path, const TreeEntry& entry);
  void set_folder_modes();
  void tell_repositories();

  const TreeEntry* now(const std::string& path) const { return find(*parts_.now, path); }
  const TreeEntry* target(const std::string& path) const { return find(*parts_.target, path); }
  static const TreeEntry* find(const Manifest& manifest, const std::string& path) {
    const auto entry = manifest.find(path);
    return entry == manifest.end() ? nullptr : &entry->second;
  }
  Result<void> ask() const {
    if (!parts_.go_on || parts_.go_on()) return {};
    return Error(ErrorCode::kInterrupted,
                 "stopped before all files were restored; the same command finishes it");
  }
  void leave(const std::string& path, const std::string& why) {
    report_.left_alone.push_back(path + ": " + why);
  }
  bool chmod_at(const std::string& path, uint32_t mode) const {
    const UniqueFd folder = open_folder(parts_.root, folder_of(path));
    return folder &&
           ::fchmodat(folder.get(), name_of(path).c_str(), mode, AT_SYMLINK_NOFOLLOW) == 0;
  }

  const RestoreParts& parts_;
  RestoreReport report_;
  std::set<std::string> loosened_;
};

// Folders that their owner may not write in get that right until the end.
Result<void> Restore::loosen_folders() {
  for (const auto& [path, entry] : *parts_.now) {
    if (entry.kind != Kind::kFolder || (entry.mode & 0300U) == 0300U) continue;
    TRY(ask());
    if (chmod_at(path, entry.mode | 0700U)) loosened_.insert(path);
  }
  return {};
}

Result<void> Restore::remove_files() {
  for (const auto& [path, entry] : *parts_.now) {
    const TreeEntry* wanted = target(path);
    if (!entry.is_content() || (wanted != nullptr && wanted->is_content())) continue;
    if (wanted == nullptr && parts_.rules->ignored(path, false)) continue;
    bool folder_ignored = false;
    for (std::string above = folder_of(path); !above.empty() && wanted == nullptr;
         above = folder_of(above)) {
      folder_ignored = folder_ignored || (target(above) == nullptr &&
                                          parts_.rules->ignored(above, /*is_folder=*/true));
    }
    if (folder_ignored) continue;
    TRY(ask());
    const UniqueFd folder = open_folder(parts_.root, folder_of(path));
    if (!folder) continue;
    if (::unlinkat(folder.get(), name_of(path).c_str(), 0) == 0) {
      ++report_.removed;
    } else if (errno != ENOENT) {
      leave(path, std::strerror(errno));
    }
  }
  return {};
}

// Deepest first: a folder sorts before what it holds. One that is not empty holds ignored files.
void Restore::remove_folders() {
  for (auto entry = parts_.now->rbegin(); entry != parts_.now->rend(); ++entry) {
    const auto& [path, what] = *entry;
    if (what.kind != Kind::kFolder) continue;
    const TreeEntry* wanted = target(path);
    if (wanted != nullptr && !wanted->is_content()) continue;
    if (wanted == nullptr && !parts_.removable_folders->contains(path)) continue;
    const UniqueFd folder = open_folder(parts_.root, folder_of(path));
    if (folder) ::unlinkat(folder.get(), name_of(path).c_str(), AT_REMOVEDIR);
  }
}

Result<void> Restore::make_folders() {
  for (const auto& [path, entry] : *parts_.target) {
    if (entry.kind != Kind::kFolder) continue;
    const TreeEntry* is = now(path);
    if (is != nullptr && is->kind == Kind::kFolder) continue;
    TRY(ask());
    const UniqueFd folder = open_folder(parts_.root, folder_of(path));
    if (folder && ::mkdirat(folder.get(), name_of(path).c_str(), 0700) == 0) {
      loosened_.insert(path);
    }
  }
  return {};
}

Result<void> Restore::write_files() {
  for (const auto& [path, entry] : *parts_.target) {
    if (!entry.is_content()) continue;
    const TreeEntry* is = now(path);
    if (is != nullptr && *is == entry) continue;
    TRY(ask());
    if (is != nullptr && is->kind == Kind::kFile && entry.kind == Kind::kFile &&
        is->id == entry.id) {
      if (chmod_at(path, entry.mode)) {
        ++report_.modes_changed;
      } else {
        leave(path, std::strerror(errno));
      }
      continue;
    }
    TRY(write_one(path, entry));
  }
  return {};
}

Result<void> Restore::write_one(const std::string& path, const TreeEntry& entry) {
  TRY_ASSIGN(const std::string bytes, parts_.content(entry.id));
  const UniqueFd folder = open_folder(parts_.root, folder_of(path));
  if (!folder) {
    leave(path, "its folder cannot be opened");
    return {};
  }
  ::unlinkat(folder.get(), kTemporary.c_str(), 0);
  if (entry.kind == Kind::kLink) {
    if (::symlinkat(bytes.c_str(), folder.get(), kTemporary.c_str()) != 0) {
      return Error(ErrorCode::kIo, "cannot make the link " + path + ": " + std::strerror(errno));
    }
  } else {
    const UniqueFd file(::openat(folder.get(), kTemporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) {
      return Error(ErrorCode::kIo, "cannot write " + path + ": " + std::strerror(errno));
    }
    Result<void> written = write_all(file.get(), bytes, path);
    if (written && ::fchmod(file.get(), entry.mode) != 0) {
      written =
          Error(ErrorCode::kIo, "cannot set the mode of " + path + ": " + std::strerror(errno));
    }
    if (!written) {
      ::unlinkat(folder.get(), kTemporary.c_str(), 0);
      return written;
    }
  }
  if (::renameat(folder.get(), kTemporary.c_str(), folder.get(), name_of(path).c_str()) == 0) {
    ++report_.written;
    return {};
  }
  const bool is_taken = errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST;
  leave(path, is_taken ? "a folder with other files stands there" : std::strerror(errno));
  ::unlinkat(folder.get(), kTemporary.c_str(), 0);
  return {};
}

// Deepest first: a folder may lose the right to be entered.
void Restore::set_folder_modes() {
  std::set<std::string> folders = loosened_;
  for (const auto& [path, entry] : *parts_.target) {
    const TreeEntry* is = now(path);
    if (entry.kind == Kind::kFolder && (is == nullptr || is->mode != entry.mode)) {
      folders.insert(path);
    }
  }
  for (auto path = folders.rbegin(); path != folders.rend(); ++path) {
    const TreeEntry* wanted = target(*path);
    const TreeEntry* entry = wanted != nullptr ? wanted : now(*path);
    if (entry == nullptr || entry->kind != Kind::kFolder) continue;
    if (!chmod_at(*path, entry->mode) && errno != ENOENT) leave(*path, std::strerror(errno));
  }
}

void Restore::tell_repositories() {
  for (const auto& [path, entry] : *parts_.target) {
    const TreeEntry* is = now(path);
    if (entry.kind != Kind::kRepository || (is != nullptr && *is == entry)) continue;
    report_.notes.push_back(path + ": a repository of its own, was at " + entry.id.hex());
  }
  for (const auto& [path, entry] : *parts_.now) {
    if (entry.kind != Kind::kRepository || target(path) != nullptr) continue;
    report_.notes.push_back(path + ": a new repository of its own");
  }
}

}  // namespace

Result<RestoreReport> restore_tree(const RestoreParts& parts) {
  return Restore(parts).run();
}

void remove_leftover(int root, const std::string& folder) {
  const UniqueFd fd = open_folder(root, folder);
  if (fd) ::unlinkat(fd.get(), kTemporary.c_str(), 0);
}

}  // namespace levin::agent
