// Walks the files of a workspace in path order, leaving out what git ignores.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/workspace.h"

namespace levin::tools {

inline constexpr int kTreeDepthMax = 100;
inline constexpr size_t kTreeFilesMax = 200'000;
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
// are left out, like everything that a .gitignore between the workspace's root and the file
// excludes. Errors: as Workspace::find(). Folders that cannot be read are passed over.
Result<void> visit_files(const Workspace& workspace, std::string_view start, TreeOptions options,
                         const std::function<bool(const TreeFile&)>& visit);

// All paths, hidden ones included.
std::vector<std::string> list_files(const Workspace& workspace);

}  // namespace levin::tools
