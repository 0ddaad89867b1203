#include "agent/index_wiring.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <iostream>

#include "agent/paths.h"

namespace levin::agent {

tools::IndexOptions index_options(const std::string& workspace_root,
                                  const std::atomic<bool>& interrupted) {
  tools::IndexOptions options;
  options.interrupted = &interrupted;
  options.on_large_update = [](size_t file_count) {
    std::cerr << "levin: indexing " << file_count << " files" << std::endl;
  };
  const Result<std::string> cache = cache_folder();
  if (cache) {
    options.database = fmt::format("{}/index/{:016x}.sqlite", *cache,
                                   XXH64(workspace_root.data(), workspace_root.size(), 0));
  }
  return options;
}

}  // namespace levin::agent
