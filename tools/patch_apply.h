// Applies file operations to a workspace: everything is looked up and checked first, then all files
// are written, or none.
#pragma once

#include <string>
#include <vector>

#include "tools/patch.h"
#include "tools/tool.h"

namespace levin::tools {

struct PatchedFile {
  std::string path;  // As the patch names it.
  std::string text;  // What the model is told.
};

struct PatchOutcome {
  bool failed = false;
  std::vector<PatchedFile> files;  // One per operation, in order.
  std::vector<FileChange> changes;

  std::string text() const;  // All of them in one.
};

// A write that fails takes back those before it; what cannot be taken back is named in the text.
PatchOutcome apply_operations(const std::vector<FileOperation>& operations, Workspace& workspace);

}  // namespace levin::tools
