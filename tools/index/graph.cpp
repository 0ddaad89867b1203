#include "tools/index/graph.h"

#include <bit>

namespace levin::tools {
namespace {

// Hashes of names to their numbers, in the order of their first appearance. Open addressing: some
// millions of look-ups have to cost milliseconds.
class NameTable {
 public:
  explicit NameTable(size_t names_max)
      : mask_(std::bit_ceil(2 * names_max + 2) - 1), slots_(mask_ + 1) {}

  uint32_t insert(uint32_t hash) {
    Slot& slot = slots_[place_of(hash)];
    if (slot.number_plus_one == 0) slot = {hash, ++count_};
    return slot.number_plus_one - 1;
  }

  // Returns false when nobody defines it.
  bool find(uint32_t hash, uint32_t& number) const {
    const Slot& slot = slots_[place_of(hash)];
    number = slot.number_plus_one - 1;
    return slot.number_plus_one != 0;
  }

  uint32_t count() const { return count_; }

 private:
  struct Slot {
    uint32_t hash = 0;
    uint32_t number_plus_one = 0;  // 0: free.
  };

  size_t place_of(uint32_t hash) const {
    size_t place = (hash * size_t{0x9E3779B1}) & mask_;
    while (slots_[place].number_plus_one != 0 && slots_[place].hash != hash) {
      place = (place + 1) & mask_;
    }
    return place;
  }

  size_t mask_;
  std::vector<Slot> slots_;
  uint32_t count_ = 0;
};

void add_definitions(const std::vector<FolderRecord>& folders, NameTable& names,
                     ReferenceGraph& graph) {
  graph.defined_begin.push_back(0);
  for (const FolderRecord& folder : folders) {
    for (const uint32_t hash : folder.defined) graph.defined_name.push_back(names.insert(hash));
    for (const FileRecord& file : folder.files) {
      graph.defined_begin.push_back(graph.defined_begin.back() + file.defined_count);
    }
  }
  // A counting sort of (name, file) pairs by name.
  graph.definer_begin.assign(names.count() + size_t{1}, 0);
  for (const uint32_t name : graph.defined_name) ++graph.definer_begin[name + 1];
  for (size_t name = 0; name < names.count(); ++name) {
    graph.definer_begin[name + 1] += graph.definer_begin[name];
  }
  std::vector<uint32_t> next(graph.definer_begin.begin(), graph.definer_begin.end() - 1);
  graph.definer.resize(graph.defined_name.size());
  for (uint32_t file = 0; file + 1 < graph.defined_begin.size(); ++file) {
    for (uint32_t at = graph.defined_begin[file]; at < graph.defined_begin[file + 1]; ++at) {
      graph.definer[next[graph.defined_name[at]]++] = file;
    }
  }
}

void add_references(const std::vector<FolderRecord>& folders, const NameTable& names,
                    ReferenceGraph& graph) {
  graph.reference_begin.push_back(0);
  for (const FolderRecord& folder : folders) {
    size_t at = 0;
    for (const FileRecord& file : folder.files) {
      const size_t first = graph.reference_name.size();
      float sum = 0;
      for (const size_t end = at + file.reference_count; at < end; ++at) {
        uint32_t name = 0;
        if (!names.find(folder.reference_names[at], name)) continue;
        graph.reference_name.push_back(name);
        graph.reference_share.push_back(folder.reference_weights[at]);
        sum += folder.reference_weights[at];
      }
      for (size_t index = first; index < graph.reference_share.size(); ++index) {
        graph.reference_share[index] /= sum;
      }
      graph.reference_begin.push_back(static_cast<uint32_t>(graph.reference_name.size()));
    }
  }
}

}  // namespace

ReferenceGraph build_graph(const std::vector<FolderRecord>& folders) {
  size_t defined_count = 0;
  size_t reference_count = 0;
  for (const FolderRecord& folder : folders) {
    defined_count += folder.defined.size();
    reference_count += folder.reference_names.size();
  }
  ReferenceGraph graph;
  graph.defined_name.reserve(defined_count);
  graph.reference_name.reserve(reference_count);
  graph.reference_share.reserve(reference_count);
  NameTable names(defined_count);
  add_definitions(folders, names, graph);
  add_references(folders, names, graph);
  return graph;
}

}  // namespace levin::tools
