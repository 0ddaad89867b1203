// The graph of the workspace as it is now, with settled ranks: the graph file of an earlier
// generation, patched by what changed since, or a new one when that is too much.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tools/index/graph_file.h"
#include "tools/index/rank.h"
#include "tools/index/update.h"

namespace levin::tools {

inline constexpr size_t kPatchedFilesMax = 500;     // More, and a new graph costs less.
inline constexpr size_t kComparedFilesMax = 5'000;  // Files of folders that were written since.

class RankedGraph {
 public:
  // Loads the lists that it needs into `data`. Errors: those of IndexStore.
  static Result<std::unique_ptr<RankedGraph>> make(IndexStore& store, IndexData& data,
                                                   const IndexOptions& options);
  RankedGraph(const RankedGraph&) = delete;
  RankedGraph& operator=(const RankedGraph&) = delete;

  const PatchedGraph& graph() const { return *graph_; }
  Ranks& ranks() { return *ranks_; }
  // Of the graph, of the nth file of data.folders.
  uint32_t file_number(size_t position) const { return numbers_[position]; }
  // Whether the graph was made from all files' lists.
  bool is_new() const { return is_new_; }

 private:
  RankedGraph() = default;
  Result<bool> patch(IndexStore& store, IndexData& data);
  Result<bool> find_changes(IndexStore& store, IndexData& data, std::vector<FileChange>& changes);
  void compare(const FolderRecord& folder, uint32_t begin, uint32_t end,
               std::vector<FileChange>& changes);
  Result<void> build(IndexStore& store, IndexData& data);
  std::vector<float> earlier_ranks(const std::vector<FolderRecord>& folders) const;

  std::optional<MappedGraph> mapped_;
  GraphLists lists_;
  ReferenceGraph base_;  // Looks into one of them.
  std::optional<PatchedGraph> graph_;
  std::optional<Ranks> ranks_;
  std::vector<uint32_t> numbers_;
  uint32_t next_number_ = 0;  // Of a new file.
  bool is_new_ = false;
};

}  // namespace levin::tools
