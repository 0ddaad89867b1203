// Owned handles of libgit2 for the files that talk to it. Private to agent/*.cpp: no header that
// others include needs git2.h.
#pragma once

#include <git2.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace levin::agent {

// libgit2 counts its users; one of these lives as long as any handle.
class GitLibrary {
 public:
  GitLibrary() { git_libgit2_init(); }
  ~GitLibrary() { git_libgit2_shutdown(); }
  GitLibrary(const GitLibrary&) = delete;
  GitLibrary& operator=(const GitLibrary&) = delete;
};

template <auto Free>
struct GitFreer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using GitHandle = std::unique_ptr<T, GitFreer<Free>>;

using GitRepository = GitHandle<git_repository, git_repository_free>;
using GitStatusList = GitHandle<git_status_list, git_status_list_free>;
using GitOdb = GitHandle<git_odb, git_odb_free>;
using GitOdbObject = GitHandle<git_odb_object, git_odb_object_free>;
using GitIndex = GitHandle<git_index, git_index_free>;
using GitConfig = GitHandle<git_config, git_config_free>;
using GitCommit = GitHandle<git_commit, git_commit_free>;
using GitTree = GitHandle<git_tree, git_tree_free>;
using GitReference = GitHandle<git_reference, git_reference_free>;
using GitSignature = GitHandle<git_signature, git_signature_free>;
using GitDiff = GitHandle<git_diff, git_diff_free>;

// Why the last call of libgit2 in this thread failed.
std::string git_reason();

// The repository that `folder` lies in. Errors: kUnsupported for sha256 object names,
// kInvalidArgument for anything else that cannot be opened; in words for the user.
Result<GitRepository> open_git_repository(const std::string& folder);

}  // namespace levin::agent
