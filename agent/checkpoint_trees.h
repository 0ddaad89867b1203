// Manifests as git objects, and back. Private to checkpoint.cpp: needs git2.h.
#pragma once

#include <string>
#include <unordered_map>

#include "agent/git_handles.h"
#include "agent/tree_manifest.h"

namespace levin::agent {

ObjectId object_id(const git_oid& id);
git_oid git_id(const ObjectId& id);

// Errors: kIo with libgit2's reason.
Result<ObjectId> write_object(git_odb* odb, const std::string& bytes, git_object_t type);

// Writes the trees that are not in `known` (folder -> id, brought up to date); the root's id.
Result<ObjectId> write_trees(git_odb* odb, const Manifest& manifest,
                             std::unordered_map<std::string, ObjectId>* known);

// A commit of `tree`; `last` itself when it says the same, else `last` (may be null) is its parent.
Result<ObjectId> write_checkpoint(git_repository* repository, const ObjectId& tree,
                                  const std::string& message, const ObjectId* last);

// Errors: kNotFound when objects are missing, kCorrupt for a tree that levin would not write (names
// that lead out of the work tree or into .git).
Result<Manifest> read_checkpoint(git_repository* repository, const ObjectId& commit);

Result<std::string> diff_checkpoints(git_repository* repository, const ObjectId& from,
                                     const ObjectId& to);

}  // namespace levin::agent
