// Brings the database up to date with the files.
#pragma once

#include <vector>

#include "base/result.h"
#include "tools/index/index_store.h"
#include "tools/repo_index.h"

namespace levin::tools {

inline constexpr size_t kFoldersPerTransaction = 256;  // What a kill can lose.

struct IndexData {
  std::vector<FolderRecord> folders;  // By path; without lists and tags.
  IndexReport report;
};

// Errors: kCorrupt when the database is damaged, kIo, kInterrupted (what was parsed is kept).
Result<IndexData> update_index(const Workspace& workspace, IndexStore& store,
                               const IndexOptions& options);

inline constexpr int kAttemptsMax = 5;  // While another process writes what we read.

// Opens the database, updates it and hands both to `use`, which may have to run again; a damaged
// database is made anew, once. Errors: those of `use` and update_index(), kLimit when other
// processes write it all the time.
Result<void> with_index(const Workspace& workspace, const IndexOptions& options,
                        const std::function<Result<void>(IndexStore&, IndexData&)>& use);

}  // namespace levin::tools
