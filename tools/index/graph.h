// Who needs whom: files point to the names that they use, names to the files that define them. So a
// name that a hundred files define costs a hundred edges, not a hundred per user.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/index/folder_record.h"

namespace levin::tools {

// Files are numbered through all folders; names are those that some file defines.
struct ReferenceGraph {
  std::vector<uint32_t> reference_begin;  // [files + 1]: where a file's references begin.
  std::vector<uint32_t> reference_name;   // Number of the name.
  std::vector<float> reference_share;     // Of the file's attention; adds up to 1 per file.
  std::vector<uint32_t> definer_begin;    // [names + 1]: where a name's definers begin.
  std::vector<uint32_t> definer;          // Number of the file.
  std::vector<uint32_t> defined_begin;    // [files + 1]: where a file's defined names begin.
  std::vector<uint32_t> defined_name;  // Number of the name, in the order of FolderRecord::defined.

  size_t file_count() const { return reference_begin.size() - 1; }
  size_t name_count() const { return definer_begin.size() - 1; }
};

ReferenceGraph build_graph(const std::vector<FolderRecord>& folders);

}  // namespace levin::tools
