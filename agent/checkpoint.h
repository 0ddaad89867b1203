// Checkpoints of a work tree in the object store of its git repository: commits under
// refs/levin/<session>/, made without the user's index, HEAD and stash. No hooks, filters or
// programs run; raw bytes in, raw bytes out. docs/formats/checkpoints.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/tree_manifest.h"
#include "base/result.h"
#include "tools/gitignore.h"

namespace levin::agent {

// The work tree at one moment; its contents are in the store already, its tree is not.
struct Snapshot {
  Manifest manifest;
  std::vector<std::string> left_out;   // "path: reason": unreadable, too large.
  std::vector<std::string> leftovers;  // Folders with a file of a killed restore.
  size_t files_read = 0;               // The others were known to be unchanged.
};

// One thread. Movable.
class CheckpointStore {
 public:
  // The repository of `work_tree` (of a linked worktree: the one it belongs to). `session_folder`
  // holds the stat cache; its last component names the refs. Errors: those of open_git_repository.
  static Result<CheckpointStore> open(const std::string& work_tree,
                                      const std::string& session_folder);
  // For a folder without a repository: a private one in `session_folder`, made when it is missing.
  static Result<CheckpointStore> open_private(const std::string& work_tree,
                                              const std::string& session_folder);

  CheckpointStore(CheckpointStore&&) noexcept;
  CheckpointStore& operator=(CheckpointStore&&) noexcept;
  ~CheckpointStore();  // Saves the stat cache.

  const std::string& work_tree() const;

  // Reads what changed since the last one. `last`: the session's newest checkpoint, null at its
  // start; what it holds stays followed even if it is ignored now. Errors: kIo, kLimit.
  Result<Snapshot> read(const ObjectId* last);

  // Stores the snapshot as refs/levin/<session>/<name>; an equal checkpoint `last` (may be null) is
  // used again, else it becomes the parent. Once this returns, the checkpoint is whole; killed
  // before, it is not there. Errors: kIo.
  Result<ObjectId> save(Snapshot snapshot, const ObjectId* last, const std::string& name);

  // Errors: kNotFound when the objects are gone, kCorrupt.
  Result<Manifest> load(const ObjectId& checkpoint) const;
  Result<std::string> content(const ObjectId& id) const;
  bool has(const ObjectId& id) const;

  // Ignore rules that lie outside the work tree: the user's and the repository's own.
  tools::IgnoreRules base_rules() const;

  // Unified diff between two checkpoints, with renames and +x; empty when they are equal.
  Result<std::string> diff(const ObjectId& from, const ObjectId& to) const;

  // Writes the stat cache for the next process. Errors: kIo.
  Result<void> save_cache();

 private:
  struct Parts;
  explicit CheckpointStore(std::unique_ptr<Parts> parts);
  static Result<CheckpointStore> create(const std::string& work_tree,
                                        const std::string& session_folder,
                                        const std::string& repository);

  std::unique_ptr<Parts> parts_;
};

}  // namespace levin::agent
