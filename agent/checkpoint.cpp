#include "agent/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "agent/checkpoint_trees.h"
#include "agent/git_handles.h"
#include "agent/tree_reader.h"
#include "base/file_io.h"
#include "base/unique_fd.h"

namespace levin::agent {
namespace {

Error git_error_of(const std::string& doing) {
  return Error(ErrorCode::kIo, "cannot " + doing + ": " + git_reason());
}

std::string text_of(const git_buf& buffer) {
  return buffer.ptr == nullptr ? "" : std::string(buffer.ptr, buffer.size);
}

// Of git's user-wide ignore file: what is configured, else where git looks by itself.
std::string excludes_path(git_repository* repository) {
  git_config* raw = nullptr;
  if (git_repository_config_snapshot(&raw, repository) == 0) {
    const GitConfig config(raw);
    git_buf path = GIT_BUF_INIT_CONST(nullptr, 0);
    if (git_config_get_path(&path, config.get(), "core.excludesfile") == 0) {
      std::string text = text_of(path);
      git_buf_dispose(&path);
      return text;
    }
  }
  const char* xdg = std::getenv("XDG_CONFIG_HOME");
  if (xdg != nullptr && xdg[0] == '/') return std::string(xdg) + "/git/ignore";
  const char* home = std::getenv("HOME");
  return home == nullptr ? "" : std::string(home) + "/.config/git/ignore";
}

tools::IgnoreRules read_base_rules(git_repository* repository) {
  tools::IgnoreRules rules;
  const auto add = [&](const std::string& path) {
    const Result<std::string> text = read_file(path, 1 << 20);
    if (text) rules.add(*text, "");
  };
  add(excludes_path(repository));
  git_buf folder = GIT_BUF_INIT_CONST(nullptr, 0);
  if (git_repository_item_path(&folder, repository, GIT_REPOSITORY_ITEM_INFO) == 0) {
    add(text_of(folder) + "/exclude");
    git_buf_dispose(&folder);
  }
  return rules;
}

// The user's index, read when it is first asked: only ignored paths need it. Never locked.
class TrackedPaths {
 public:
  explicit TrackedPaths(git_repository* repository) : repository_(repository) {}

  bool has(const std::string& path, bool is_folder) {
    if (!read_) {
      git_index* raw = nullptr;
      read_ = true;
      if (git_repository_index(&raw, repository_) == 0) index_.reset(raw);
    }
    if (!index_) return false;
    size_t position = 0;
    if (!is_folder) return git_index_find(&position, index_.get(), path.c_str()) == 0;
    return git_index_find_prefix(&position, index_.get(), (path + "/").c_str()) == 0;
  }

 private:
  git_repository* repository_;
  GitIndex index_;
  bool read_ = false;
};

// HEAD's commit of a nested repository; an id that names nothing when it has none.
ObjectId commit_of_nested(const std::string& folder) {
  ObjectId none;
  none.bytes.back() = 1;  // Git objects to the id of zeros alone.
  git_repository* raw = nullptr;
  if (git_repository_open_ext(&raw, folder.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr) != 0) {
    return none;
  }
  const GitRepository repository(raw);
  git_oid id;
  return git_reference_name_to_id(&id, repository.get(), "HEAD") == 0 ? object_id(id) : none;
}

}  // namespace

struct CheckpointStore::Parts {
  GitLibrary library;
  std::string work_tree;
  std::string session_folder;
  std::string ref_prefix;
  std::string repository_path;
  UniqueFd root;
  StatCache cache;
  bool cache_changed = false;
  bool read_since_save = false;  // Then the cache names objects that no checkpoint holds yet.
  ObjectId newest_id;            // The last checkpoint that was saved or read, and what it holds.
  Manifest newest;
  struct stat state_folder {};
  GitRepository repository;
  GitOdb odb;

  std::string cache_path() const { return session_folder + "/stat-cache"; }

  // The model's commands may have replaced the whole repository since the last time.
  Result<void> reopen() {
    odb.reset();
    repository.reset();
    TRY_ASSIGN(repository, open_git_repository(repository_path));
    git_odb* raw = nullptr;
    if (git_repository_odb(&raw, repository.get()) != 0) return git_error_of("open git's objects");
    odb.reset(raw);
    return {};
  }
};

CheckpointStore::CheckpointStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CheckpointStore::CheckpointStore(CheckpointStore&&) noexcept = default;
CheckpointStore& CheckpointStore::operator=(CheckpointStore&&) noexcept = default;
CheckpointStore::~CheckpointStore() {
  // A cache that cannot be written costs the next process time, nothing else.
  if (parts_) (void)save_cache();
}

const std::string& CheckpointStore::work_tree() const {
  return parts_->work_tree;
}

Result<CheckpointStore> CheckpointStore::create(const std::string& work_tree,
                                                const std::string& session_folder,
                                                const std::string& repository) {
  auto parts = std::make_unique<Parts>();
  parts->work_tree = work_tree;
  parts->session_folder = session_folder;
  parts->repository_path = repository;
  const std::filesystem::path folder(session_folder);
  parts->ref_prefix = "refs/levin/" + folder.filename().string() + "/";
  parts->root = UniqueFd(::open(work_tree.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parts->root) {
    return Error(ErrorCode::kNotFound,
                 "cannot open the work tree " + work_tree + ": " + std::strerror(errno));
  }
  // levin's state may lie inside the work tree; it is no part of it.
  if (::stat(folder.parent_path().c_str(), &parts->state_folder) != 0) parts->state_folder = {};
  TRY(parts->reopen());
  parts->cache = StatCache::load(parts->cache_path());
  return CheckpointStore(std::move(parts));
}

Result<CheckpointStore> CheckpointStore::open(const std::string& work_tree,
                                              const std::string& session_folder) {
  return create(work_tree, session_folder, work_tree);
}

Result<CheckpointStore> CheckpointStore::open_private(const std::string& work_tree,
                                                      const std::string& session_folder) {
  const GitLibrary library;
  const std::string path = session_folder + "/checkpoints.git";
  TRY(make_directories(session_folder));
  git_repository* raw = nullptr;
  if (git_repository_init(&raw, path.c_str(), /*is_bare=*/1) != 0) {
    return git_error_of("make the private repository " + path);
  }
  const GitRepository made(raw);
  return create(work_tree, session_folder, path);
}

Result<Snapshot> CheckpointStore::read(const ObjectId* last) {
  TRY(parts_->reopen());
  const bool has_last = last != nullptr && has(*last);
  if (!has_last) {
    parts_->newest = {};
    parts_->newest_id = {};
  } else if (!(parts_->newest_id == *last)) {
    TRY_ASSIGN(parts_->newest, load(*last));
    parts_->newest_id = *last;
  }
  // Objects that only a lost checkpoint held may be gone.
  StatCache& cache = parts_->cache;
  if (!has_last || !(cache.base == *last || has(cache.base))) cache = StatCache();
  const tools::IgnoreRules rules = base_rules();
  TrackedPaths tracked(parts_->repository.get());
  TreeReaderParts reader;
  reader.root = parts_->root.get();
  reader.base_rules = &rules;
  reader.previous = &parts_->newest;
  reader.cache = &cache;
  reader.skip_device = parts_->state_folder.st_dev;
  reader.skip_inode = parts_->state_folder.st_ino;
  reader.tracked = [&](const std::string& path, bool is_folder) {
    return tracked.has(path, is_folder);
  };
  reader.store = [&](const std::string& bytes) {
    return write_object(parts_->odb.get(), bytes, GIT_OBJECT_BLOB);
  };
  reader.commit_of = [&](const std::string& folder) {
    return commit_of_nested(parts_->work_tree + "/" + folder);
  };
  TRY_ASSIGN(TreeReading reading, read_tree(reader));
  parts_->cache_changed = parts_->cache_changed || reading.files_read > 0;
  parts_->read_since_save = true;
  return Snapshot{std::move(reading.manifest), std::move(reading.left_out),
                  std::move(reading.leftovers), reading.files_read};
}

Result<ObjectId> CheckpointStore::save(Snapshot snapshot, const ObjectId* last,
                                       const std::string& name) {
  git_odb* odb = parts_->odb.get();
  TRY_ASSIGN(const ObjectId tree, write_trees(odb, snapshot.manifest, &parts_->cache.trees));
  TRY_ASSIGN(const ObjectId commit,
             write_checkpoint(parts_->repository.get(), tree, encode_modes(snapshot.manifest),
                              last != nullptr && has(*last) ? last : nullptr));
  const std::string ref = parts_->ref_prefix + name;
  const git_oid id = git_id(commit);
  git_reference* raw = nullptr;
  if (git_reference_create(&raw, parts_->repository.get(), ref.c_str(), &id, /*force=*/1,
                           "levin: checkpoint") != 0) {
    return git_error_of("write " + ref);
  }
  const GitReference reference(raw);
  parts_->cache_changed = parts_->cache_changed || !(parts_->cache.base == commit);
  parts_->cache.base = commit;
  parts_->read_since_save = false;
  parts_->newest_id = commit;
  parts_->newest = std::move(snapshot.manifest);
  return commit;
}

Result<Manifest> CheckpointStore::load(const ObjectId& checkpoint) const {
  return read_checkpoint(parts_->repository.get(), checkpoint);
}

Result<std::string> CheckpointStore::content(const ObjectId& id) const {
  git_odb_object* raw = nullptr;
  const git_oid oid = git_id(id);
  if (git_odb_read(&raw, parts_->odb.get(), &oid) != 0) {
    return Error(ErrorCode::kNotFound, "git object " + id.hex() + ": " + git_reason());
  }
  const GitOdbObject object(raw);
  return std::string(static_cast<const char*>(git_odb_object_data(object.get())),
                     git_odb_object_size(object.get()));
}

bool CheckpointStore::has(const ObjectId& id) const {
  const git_oid oid = git_id(id);
  return git_odb_exists(parts_->odb.get(), &oid) == 1;
}

tools::IgnoreRules CheckpointStore::base_rules() const {
  return read_base_rules(parts_->repository.get());
}

Result<std::string> CheckpointStore::diff(const ObjectId& from, const ObjectId& to) const {
  return diff_checkpoints(parts_->repository.get(), from, to);
}

Result<void> CheckpointStore::save_cache() {
  if (!parts_->cache_changed || parts_->read_since_save) return {};
  TRY(parts_->cache.save(parts_->cache_path()));
  parts_->cache_changed = false;
  return {};
}

}  // namespace levin::agent
