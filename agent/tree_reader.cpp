#include "agent/tree_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>

#include "base/unique_fd.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

int64_t clock_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

struct Name {
  std::string text;
  struct stat status {};
};

// One folder of the walk. Rules are read when they are first needed.
struct Level {
  const Level* parent = nullptr;
  int folder = -1;
  std::string prefix;  // "" or "a/b/".
  bool ignored = false;
  bool has_rules = false;  // A .gitignore lies here.
  const tools::IgnoreRules* rules = nullptr;
  std::unique_ptr<tools::IgnoreRules> own;
};

class TreeWalk {
 public:
  explicit TreeWalk(const TreeReaderParts& parts) : parts_(parts), started_ns_(clock_ns()) {}

  Result<TreeReading> run() {
    Level root;
    root.folder = parts_.root;
    const uint32_t reading = ++parts_.cache->readings;
    TRY(folder(root, 0));
    // Paths that are gone must not come back with an old id.
    std::erase_if(parts_.cache->files,
                  [&](const auto& known) { return known.second.seen != reading; });
    return std::move(reading_);
  }

 private:
  Result<void> folder(Level& level, int depth);
  Result<void> one(Level& level, const Name& name, int depth);
  Result<void> subfolder(Level& level, const Name& name, const std::string& path, bool ignored,
                         int depth);
  Result<void> file(const Level& level, const Name& name, const std::string& path);
  Result<void> link(const Level& level, const Name& name, const std::string& path);
  Result<std::vector<Name>> names_of(int folder, const std::string& prefix);

  bool followed(const std::string& path, bool is_folder) const {
    return parts_.previous != nullptr && [&] {
      const auto entry = parts_.previous->find(path);
      return entry != parts_.previous->end() &&
             (entry->second.kind == TreeEntry::Kind::kFolder) == is_folder;
    }();
  }
  bool is_ignored(Level& level, const std::string& path, bool is_folder);
  const tools::IgnoreRules& rules_of(Level& level);
  StatCache::Known* known(const std::string& path) const {
    const auto entry = parts_.cache->files.find(path);
    return entry == parts_.cache->files.end() ? nullptr : &entry->second;
  }
  // Most files: the cache knows all about them.
  bool take_unchanged(const Name& name, const std::string& path);
  void add(const std::string& path, TreeEntry entry, const FileStamp* stamp) {
    if (stamp != nullptr) {
      if (stamp->is_racy(started_ns_)) {
        parts_.cache->files.erase(path);
      } else {
        parts_.cache->files.insert_or_assign(
            path, StatCache::Known{*stamp, entry.id, parts_.cache->readings});
      }
    }
    reading_.manifest.insert_or_assign(path, entry);
  }
  void leave_out(const std::string& path, const std::string& reason) {
    reading_.left_out.push_back(path + ": " + reason);
  }

  const TreeReaderParts& parts_;
  int64_t started_ns_;
  TreeReading reading_;
};

Result<std::vector<Name>> TreeWalk::names_of(int folder, const std::string& prefix) {
  std::vector<Name> names;
  UniqueFd copy(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* stream = copy ? ::fdopendir(copy.get()) : nullptr;
  if (stream == nullptr) {
    leave_out(prefix.empty() ? "." : prefix, std::strerror(errno));
    return names;
  }
  copy.release();
  while (const dirent* entry = ::readdir(stream)) {
    Name name;
    name.text = entry->d_name;
    if (name.text == "." || name.text == "..") continue;
    if (::fstatat(folder, entry->d_name, &name.status, AT_SYMLINK_NOFOLLOW) == 0) {
      names.push_back(std::move(name));
    }
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end(),
            [](const Name& a, const Name& b) { return a.text < b.text; });
  return names;
}

const tools::IgnoreRules& TreeWalk::rules_of(Level& level) {
  if (level.rules != nullptr) return *level.rules;
  // Levels live on the stack of the walk, from the root down; only their rules are filled in.
  level.rules =
      level.parent == nullptr ? parts_.base_rules : &rules_of(const_cast<Level&>(*level.parent));
  if (!level.has_rules) return *level.rules;
  UniqueFd fd(::openat(level.folder, ".gitignore", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return *level.rules;
  const Result<std::string> text = tools::read_descriptor(fd.get(), 1 << 20, ".gitignore");
  if (!text) return *level.rules;
  level.own = std::make_unique<tools::IgnoreRules>(*level.rules);
  level.own->add(*text, level.prefix.substr(0, level.prefix.empty() ? 0 : level.prefix.size() - 1));
  level.rules = level.own.get();
  return *level.rules;
}

bool TreeWalk::is_ignored(Level& level, const std::string& path, bool is_folder) {
  return level.ignored || rules_of(level).ignored(path, is_folder);
}

Result<void> TreeWalk::folder(Level& level, int depth) {
  TRY_ASSIGN(const std::vector<Name> names, names_of(level.folder, level.prefix));
  level.has_rules = std::any_of(names.begin(), names.end(),
                                [](const Name& name) { return name.text == ".gitignore"; });
  for (const Name& name : names) TRY(one(level, name, depth));
  return {};
}

Result<void> TreeWalk::one(Level& level, const Name& name, int depth) {
  // Git refuses any spelling of .git as a name in a tree.
  if (::strcasecmp(name.text.c_str(), ".git") == 0) return {};
  if (name.text == kRestoreName) {
    reading_.leftovers.push_back(level.prefix);
    return {};
  }
  const std::string path = level.prefix + name.text;
  const bool is_folder = S_ISDIR(name.status.st_mode);
  if (!is_folder && !S_ISREG(name.status.st_mode) && !S_ISLNK(name.status.st_mode)) return {};
  if (is_folder && name.status.st_ino == parts_.skip_inode &&
      name.status.st_dev == parts_.skip_device) {
    return {};
  }
  if (!is_folder && take_unchanged(name, path)) return {};
  // A folder that is followed may lie under a rule: then only what is known of it is.
  const bool is_followed = followed(path, is_folder);
  const bool ignored = (is_folder || !is_followed) && is_ignored(level, path, is_folder);
  if (ignored && !is_followed && !parts_.tracked(path, is_folder)) return {};
  if (reading_.manifest.size() >= kTreeEntriesMax) {
    return Error(ErrorCode::kLimit, "the work tree holds more than " +
                                        std::to_string(kTreeEntriesMax) + " files and folders");
  }
  if (is_folder) return subfolder(level, name, path, ignored, depth);
  return S_ISLNK(name.status.st_mode) ? link(level, name, path) : file(level, name, path);
}

Result<void> TreeWalk::subfolder(Level& level, const Name& name, const std::string& path,
                                 bool ignored, int depth) {
  if (depth >= kTreeDepthMax) {
    leave_out(path, "nested too deeply");
    return {};
  }
  UniqueFd fd(
      ::openat(level.folder, name.text.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    leave_out(path, std::strerror(errno));
    return {};
  }
  const uint32_t mode = name.status.st_mode & 07777U;
  // A repository of its own, unless its files were part of this tree before it became one.
  if (::faccessat(fd.get(), ".git", F_OK, AT_SYMLINK_NOFOLLOW) == 0 && !followed(path, true) &&
      !parts_.tracked(path, true)) {
    add(path, TreeEntry{TreeEntry::Kind::kRepository, 0, parts_.commit_of(path)}, nullptr);
    return {};
  }
  add(path, TreeEntry{TreeEntry::Kind::kFolder, mode, {}}, nullptr);
  Level below;
  below.parent = &level;
  below.folder = fd.get();
  below.prefix = path + "/";
  below.ignored = ignored;
  return folder(below, depth + 1);
}

bool TreeWalk::take_unchanged(const Name& name, const std::string& path) {
  StatCache::Known* before = known(path);
  if (before == nullptr || !(before->stamp == FileStamp::of(name.status))) return false;
  before->seen = parts_.cache->readings;
  TreeEntry entry{TreeEntry::Kind::kLink, 0, before->id};
  if (!S_ISLNK(name.status.st_mode)) {
    entry = {TreeEntry::Kind::kFile, name.status.st_mode & 07777U, before->id};
  }
  reading_.manifest.emplace_hint(reading_.manifest.end(), path, entry);
  return true;
}

Result<void> TreeWalk::file(const Level& level, const Name& name, const std::string& path) {
  FileStamp stamp = FileStamp::of(name.status);
  const StatCache::Known* before = known(path);
  TreeEntry entry{TreeEntry::Kind::kFile, name.status.st_mode & 07777U, {}};
  if (stamp.size > kStoredBytesMax) {
    leave_out(path, "larger than 1 GiB");
    return {};
  }
  UniqueFd fd(
      ::openat(level.folder, name.text.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno == ENOENT) return {};
  if (!fd) {
    // Made unreadable since it was read: the content is still the same.
    const bool same = before != nullptr && before->stamp.mtime_ns == stamp.mtime_ns &&
                      before->stamp.size == stamp.size && before->stamp.inode == stamp.inode;
    if (!same) {
      leave_out(path, std::strerror(errno));
      return {};
    }
    entry.id = before->id;
    add(path, entry, &stamp);
    return {};
  }
  struct stat opened {};
  if (::fstat(fd.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) return {};
  stamp = FileStamp::of(opened);
  entry.mode = opened.st_mode & 07777U;
  Result<std::string> bytes = tools::read_descriptor(fd.get(), kStoredBytesMax, path);
  if (!bytes) {
    leave_out(path, bytes.error().message());
    return {};
  }
  TRY_ASSIGN(entry.id, parts_.store(*bytes));
  ++reading_.files_read;
  add(path, entry, &stamp);
  return {};
}

Result<void> TreeWalk::link(const Level& level, const Name& name, const std::string& path) {
  const FileStamp stamp = FileStamp::of(name.status);
  TreeEntry entry{TreeEntry::Kind::kLink, 0, {}};
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(level.folder, name.text.c_str(), target.data(), target.size());
  if (size < 0) return {};
  TRY_ASSIGN(entry.id, parts_.store(std::string(target.data(), static_cast<size_t>(size))));
  ++reading_.files_read;
  add(path, entry, &stamp);
  return {};
}

}  // namespace

Result<TreeReading> read_tree(const TreeReaderParts& parts) {
  return TreeWalk(parts).run();
}

}  // namespace levin::agent
