#include "tools/index/rank_cache.h"

#include <xxhash.h>

#include <cmath>
#include <cstring>

namespace levin::tools {
namespace {

struct Entry {
  uint32_t path_hash;
  float rank;
};

// Calls `visit(hash of the path)` for each file in order.
template <typename Visit>
void visit_paths(const std::vector<FolderRecord>& folders, Visit visit) {
  for (const FolderRecord& folder : folders) {
    const uint32_t seed = XXH32(folder.path.data(), folder.path.size(), 0);
    for (const FileRecord& file : folder.files) {
      visit(XXH32(file.name.data(), file.name.size(), seed));
    }
  }
}

constexpr size_t kLookAheadMax = 4'096;  // Files that came or went at one place.

}  // namespace

std::string encode_ranks(const std::vector<FolderRecord>& folders,
                         const std::vector<float>& ranks) {
  std::string bytes;
  bytes.reserve(ranks.size() * sizeof(Entry));
  size_t file = 0;
  visit_paths(folders, [&](uint32_t hash) {
    const Entry entry{hash, ranks[file++]};
    bytes.append(reinterpret_cast<const char*>(&entry), sizeof entry);
  });
  return bytes;
}

std::vector<float> decode_ranks(const std::vector<FolderRecord>& folders, std::string_view bytes) {
  std::vector<Entry> entries(bytes.size() / sizeof(Entry));
  if (!entries.empty()) std::memcpy(entries.data(), bytes.data(), entries.size() * sizeof(Entry));
  std::vector<float> ranks;
  // Both lists are in the order of paths: what is missing here was removed, what is missing there
  // is new.
  size_t at = 0;
  visit_paths(folders, [&](uint32_t hash) {
    size_t found = at;
    while (found < entries.size() && found < at + kLookAheadMax &&
           entries[found].path_hash != hash) {
      ++found;
    }
    const bool is_known = found < entries.size() && entries[found].path_hash == hash;
    const float rank = is_known ? entries[found].rank : 0;
    ranks.push_back(std::isfinite(rank) && rank >= 0 && rank <= 1 ? rank : 0);
    if (is_known) at = found + 1;
  });
  return ranks;
}

}  // namespace levin::tools
