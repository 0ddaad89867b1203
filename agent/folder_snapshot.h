// The files of an app's folder as they once were, in memory: what a round of repairs made can be taken
// back. For small folders; the checkpoints of git workspaces are another thing (agent/checkpoint.h).
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "tools/workspace.h"

namespace levin::agent {

using FolderSnapshot = std::map<std::string, std::string>;  // Path relative to the folder -> content.

// Regular files, hidden ones left out. Errors: kLimit above 2,000 files or 64 MiB; kIo.
Result<FolderSnapshot> take_snapshot(const std::string& folder);

// Makes the files of the workspace those of `snapshot`: changed ones are written, newer ones
// removed. Errors: those of the workspace.
Result<void> restore_snapshot(tools::Workspace& workspace, const FolderSnapshot& snapshot);

}  // namespace levin::agent
