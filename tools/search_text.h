// The text mode of search: all lines of a tree that match, read by several threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/glob.h"
#include "tools/workspace.h"

namespace levin::tools {

inline constexpr size_t kHitsShownMax = 80;
inline constexpr size_t kSearchBodyBytesMax = 8 * 1024;
// A NUL byte among the first of a file makes it binary, as ripgrep's first buffer does.
inline constexpr size_t kSearchBinaryProbeBytes = 64 * 1024;

// Counts all hits and keeps the first lines in path order, whatever order they come in.
// Thread-safe: several workers add to it.
class HitTable {
 public:
  struct FileHits {
    size_t count = 0;
    std::vector<std::string> lines;  // The first of them, as shown.
  };

  void add(const std::string& path, FileHits hits);

  // `12 hits in 3 files` or `80 of 412 hits in 9 files, narrow with glob or path`, then the lines.
  std::string text() const;

 private:
  std::mutex mutex_;
  std::map<std::string, FileHits> files_;  // Only those that can still be shown.
  size_t num_files_ = 0;
  size_t num_hits_ = 0;
  size_t num_lines_ = 0;  // In files_.
};

struct TextQuery {
  std::string pattern;
  bool literal = false;
  std::string path;
  const PathFilter& filter;
  const std::atomic<bool>* interrupted = nullptr;
  int num_threads = 0;  // 0: one per core.
};

// The result for the model. Errors: kInvalidArgument for a path outside; as Workspace::find(). The
// pattern compiles: the caller has tried.
Result<std::string> search_text(const Workspace& workspace, const TextQuery& query);

}  // namespace levin::tools
