// Walks a work tree and says what it holds, reading only files that changed since they were last
// read. Raw bytes: no filters, no attributes. Links are not followed, `.git` is never entered.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/stat_cache.h"
#include "agent/tree_manifest.h"
#include "tools/gitignore.h"

namespace levin::agent {

inline constexpr int kTreeDepthMax = 200;
inline constexpr size_t kTreeEntriesMax = 5'000'000;
inline constexpr size_t kStoredBytesMax = size_t{1} << 30;  // Larger files are left out.

// A file being restored has this name until it is whole. A killed restore may leave one behind in a
// folder; it is no part of the tree.
inline constexpr std::string_view kRestoreName = ".levin-restore.tmp";

struct TreeReaderParts {
  int root = -1;                         // Descriptor of the work tree.
  const tools::IgnoreRules* base_rules;  // From outside the tree: the user's and the repository's.
  const Manifest* previous = nullptr;    // What was followed before stays followed, though ignored.
  StatCache* cache = nullptr;            // Used and brought up to date.
  uint64_t skip_device = 0;              // A folder that is passed over: levin's own state.
  uint64_t skip_inode = 0;
  std::function<bool(const std::string& path, bool is_folder)> tracked;  // By the user's index.
  std::function<Result<ObjectId>(const std::string& bytes)> store;
  std::function<ObjectId(const std::string& folder)> commit_of;  // Of a nested repository.
};

struct TreeReading {
  Manifest manifest;
  std::vector<std::string> left_out;   // "path: reason", for the user.
  std::vector<std::string> leftovers;  // Folders in which a kRestoreName lies.
  size_t files_read = 0;               // The others were known.
};

// Errors: kIo, kLimit, those of `store`. A file that vanishes meanwhile is no error.
Result<TreeReading> read_tree(const TreeReaderParts& parts);

}  // namespace levin::agent
