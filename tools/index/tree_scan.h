// Which files of a workspace the index is about, and their stamps: those that search sees
// (tools/file_tree.h), of languages that the index knows. No file is opened but .gitignore.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/index/folder_record.h"
#include "tools/workspace.h"

namespace levin::tools {

inline constexpr size_t kScannedFilesMax = 500'000;

struct ScannedFile {
  std::string name;
  FileStamp stamp;
};

struct ScannedFolder {
  std::string path;                // "" for the root.
  std::vector<ScannedFile> files;  // By name; at least one.
};

struct TreeScan {
  std::vector<ScannedFolder> folders;  // By path.
  bool is_whole = true;                // False: kScannedFilesMax was reached.
};

// Errors: those of visit_in_parallel(), kInterrupted. What vanishes meanwhile is left out.
Result<TreeScan> scan_tree(const Workspace& workspace, unsigned thread_count,
                           const std::atomic<bool>* interrupted);

}  // namespace levin::tools
