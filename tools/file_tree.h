// Walks the files of a workspace, leaving out what git ignores: in path order on one thread, or in
// no order on several.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/workspace.h"

namespace levin::tools {

inline constexpr int kTreeDepthMax = 100;
inline constexpr size_t kTreeFilesMax = 2'000'000;
inline constexpr size_t kIgnoreFileBytesMax = 1 << 20;

struct TreeOptions {
  bool hidden = false;  // Names that begin with a dot; `.git` never.
};

// One regular file. `folder` and `name` open it without another walk; valid during the call.
struct TreeFile {
  int folder;
  const std::string& name;
  const std::string& path;  // Relative to the workspace.
};

// Calls `visit` for each regular file below `start` (a folder of the workspace, "." for all) in
// byte order of the paths, until it returns false. Links are not followed; `.git` and `__pycache__`
// are left out, like everything that a .gitignore or .ignore between the workspace's root and the
// file excludes; a hidden file that one of them names with `!` is visited. Errors: as
// Workspace::find(). Folders that cannot be read are passed over.
Result<void> visit_files(const Workspace& workspace, std::string_view start, TreeOptions options,
                         const std::function<bool(const TreeFile&)>& visit);

struct ParallelOptions {
  TreeOptions tree;
  int num_threads = 0;                              // 0: one per core, at most kTreeThreadsMax.
  const std::atomic<bool>* interrupted = nullptr;   // Ends the walk.
  std::function<bool(std::string_view)> is_pruned;  // Folders not to enter; may be empty.
};
inline constexpr int kTreeThreadsMax = 8;

// How many threads visit_in_parallel() uses.
int tree_threads(const ParallelOptions& options);

// As visit_files(), from several threads at once and in no order: `worker` is a number below
// tree_threads() that no two calls have at the same time. False when more than kTreeFilesMax files
// are there, or it was interrupted.
Result<bool> visit_in_parallel(const Workspace& workspace, std::string_view start,
                               const ParallelOptions& options,
                               const std::function<void(int worker, const TreeFile&)>& visit);

// All paths, hidden ones included.
std::vector<std::string> list_files(const Workspace& workspace);

}  // namespace levin::tools
