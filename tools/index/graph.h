// Who needs whom: files point to the names that they use, names to the files that define them. So a
// name that a hundred files define costs a hundred edges, not a hundred per user.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tools/index/folder_record.h"

namespace levin::tools {

// Files are numbered through all folders. Names are those that some file defines, and from
// defined_count() on those that are used only. Looks at lists that lie elsewhere: in GraphLists, or
// in a mapped file, whose numbers may be anything.
struct ReferenceGraph {
  std::span<const uint64_t> folder_key;       // [folders]: path_key() of its path.
  std::span<const uint32_t> folder_begin;     // [folders + 1]: its first file.
  std::span<const uint64_t> file_key;         // [files]: path_key() of its name.
  std::span<const uint64_t> lists_key;        // [files]: see lists_key().
  std::span<const uint32_t> reference_begin;  // [files + 1]: where a file's references begin.
  std::span<const uint32_t> reference_name;   // Number of the name.
  std::span<const uint8_t> reference_weight;
  std::span<const uint32_t> defined_begin;  // [files + 1]: where a file's defined names begin.
  std::span<const uint32_t> defined_name;   // Number of the name, in the order of the record.
  std::span<const uint32_t> definer_begin;  // [defined + 1]: where a name's definers begin.
  std::span<const uint32_t> definer;        // Number of the file.
  std::span<const uint32_t> name_hash;      // [names]
  std::span<const uint32_t> slots;          // Number of a name and 1, at its hash; a power of two.
  std::span<const float> ranks;             // [files]: see tools/index/rank.h. Empty: not known.
  std::span<const float> attention;         // [defined]

  size_t file_count() const { return file_key.size(); }
  size_t name_count() const { return name_hash.size(); }
  size_t defined_count() const { return definer_begin.empty() ? 0 : definer_begin.size() - 1; }

  // The number of a name; false when it is in no file.
  bool find(uint32_t hash, uint32_t& number) const;
};

// The same lists, owned.
struct GraphLists {
  std::vector<uint64_t> folder_key, file_key, lists_key;
  std::vector<uint32_t> folder_begin, reference_begin, reference_name, defined_begin, defined_name,
      definer_begin, definer, name_hash, slots;
  std::vector<uint8_t> reference_weight;
  std::vector<float> ranks, attention;

  ReferenceGraph view() const;
};

uint64_t path_key(std::string_view text);
// Of a file's defined names and references: equal ones, equal lists.
uint64_t lists_key(const FolderRecord& folder, const FileRecord& file, const FilePlace& place);

// All folders have their lists. Without ranks and attention.
GraphLists build_graph(const std::vector<FolderRecord>& folders);

}  // namespace levin::tools
