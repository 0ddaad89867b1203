// Where the index of a workspace is kept, and how it tells of long work.
#pragma once

#include <atomic>
#include <string>

#include "tools/repo_index.h"

namespace levin::agent {

// cache_folder()/index/<hash of the root>.sqlite, one per workspace. Without a cache folder the
// index is made in memory. Long work is told on stderr.
tools::IndexOptions index_options(const std::string& workspace_root,
                                  const std::atomic<bool>& interrupted);

}  // namespace levin::agent
