#include "tools/index/graph_file.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/file_io.h"

namespace levin::tools {
namespace {

constexpr uint64_t kMagic = 0x31'68'70'61'72'67'76'6c;  // "lvgraph1", little-endian.
constexpr size_t kPartCount = 15;

struct Header {
  uint64_t magic = kMagic;
  uint64_t database = 0;
  uint64_t generation = 0;
  uint64_t counts[kPartCount] = {};  // Of the parts' elements.
  uint64_t check = 0;                // Of what stands above.

  uint64_t checked() const { return XXH3_64bits(this, offsetof(Header, check)); }
};

// Calls `visit` for each part, in the order in which they lie in the file.
template <typename Graph, typename Visit>
void for_each_part(Graph& graph, Visit visit) {
  visit(graph.folder_key);
  visit(graph.folder_begin);
  visit(graph.file_key);
  visit(graph.lists_key);
  visit(graph.reference_begin);
  visit(graph.reference_name);
  visit(graph.reference_weight);
  visit(graph.defined_begin);
  visit(graph.defined_name);
  visit(graph.definer_begin);
  visit(graph.definer);
  visit(graph.name_hash);
  visit(graph.slots);
  visit(graph.ranks);
  visit(graph.attention);
}

// Parts begin at multiples of eight bytes.
size_t padded(size_t size) {
  return (size + 7) / 8 * 8;
}

// Whether `begins` cuts `count` things into `parts`.
bool is_division(std::span<const uint32_t> begins, size_t parts, size_t count) {
  return begins.size() == parts + 1 && begins.front() == 0 && begins.back() == count &&
         std::is_sorted(begins.begin(), begins.end());
}

bool fits_together(const ReferenceGraph& graph) {
  const size_t files = graph.file_key.size();
  return is_division(graph.folder_begin, graph.folder_key.size(), files) &&
         graph.lists_key.size() == files && graph.ranks.size() == files &&
         graph.reference_weight.size() == graph.reference_name.size() &&
         graph.definer.size() == graph.defined_name.size() && !graph.definer_begin.empty() &&
         is_division(graph.reference_begin, files, graph.reference_name.size()) &&
         is_division(graph.defined_begin, files, graph.defined_name.size()) &&
         is_division(graph.definer_begin, graph.defined_count(), graph.definer.size()) &&
         graph.attention.size() == graph.defined_count() &&
         graph.defined_count() <= graph.name_count() && std::has_single_bit(graph.slots.size());
}

}  // namespace

Result<void> write_graph(const std::string& path, const ReferenceGraph& graph, uint64_t database,
                         uint64_t generation) {
  Header header;
  header.database = database;
  header.generation = generation;
  size_t part = 0;
  for_each_part(graph, [&](const auto& list) { header.counts[part++] = list.size(); });
  header.check = header.checked();
  TRY_ASSIGN(AtomicFile file, AtomicFile::create(path, 0600));
  TRY(file.write({reinterpret_cast<const char*>(&header), sizeof header}));
  Result<void> written;
  for_each_part(graph, [&](const auto& list) {
    if (!written) return;
    written = file.write({reinterpret_cast<const char*>(list.data()), list.size_bytes()});
    if (written)
      written = file.write(std::string(padded(list.size_bytes()) - list.size_bytes(), 0));
  });
  TRY(written);
  return file.commit();
}

std::optional<MappedGraph> open_graph(const std::string& path, uint64_t database,
                                      uint64_t generation_max) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped) return std::nullopt;
  const std::span<const std::byte> bytes = mapped->bytes();
  Header header;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic || header.check != header.checked() || header.database != database ||
      header.generation > generation_max) {
    return std::nullopt;
  }
  MappedGraph result;
  size_t at = sizeof header;
  size_t part = 0;
  bool is_whole = true;
  for_each_part(result.graph, [&](auto& list) {
    using Element = typename std::remove_reference_t<decltype(list)>::element_type;
    const uint64_t count = header.counts[part++];
    if (!is_whole || count > (bytes.size() - at) / sizeof(Element)) {
      is_whole = false;
      return;
    }
    list = {reinterpret_cast<const Element*>(bytes.data() + at), static_cast<size_t>(count)};
    at = std::min(at + padded(list.size_bytes()), bytes.size());
  });
  if (!is_whole || !fits_together(result.graph)) return std::nullopt;
  result.generation = header.generation;
  result.file = *std::move(mapped);
  return result;
}

}  // namespace levin::tools
