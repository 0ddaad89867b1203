// The reference graph with its ranks as a file beside the database, mapped when it is needed: of
// some tens of megabytes a run looks at a few. It is the graph of one generation of the database;
// what changed since is added by tools/index/ranked_graph.h.
#pragma once

#include <optional>
#include <string>

#include "base/mapped_file.h"
#include "base/result.h"
#include "tools/index/graph.h"

namespace levin::tools {

inline constexpr const char* kGraphFileEnding = ".graph";  // Behind the database's path.

struct MappedGraph {
  MappedFile file;
  ReferenceGraph graph;  // Looks into `file`.
  uint64_t generation = 0;
};

// Replaces the file whole. Errors: kIo.
Result<void> write_graph(const std::string& path, const ReferenceGraph& graph, uint64_t database,
                         uint64_t generation);

// Nothing when there is none, when it is of another database or of a later generation, or when its
// frame is damaged. Beginnings are in order and within their lists; other numbers may be anything.
std::optional<MappedGraph> open_graph(const std::string& path, uint64_t database,
                                      uint64_t generation_max);

}  // namespace levin::tools
