#include "tools/index/graph.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>

namespace levin::tools {
namespace {

constexpr size_t kLookAhead = 16;  // Look-ups whose memory is on its way.

// Hashes of names to their numbers, in the order of their first appearance. Open addressing: some
// millions of look-ups have to cost milliseconds.
class NameTable {
 public:
  NameTable(GraphLists& graph, size_t names_expected) : names_(graph.name_hash) {
    names_.reserve(names_expected);
    resize(std::bit_ceil(names_expected * 2 + 2));
  }

  // Asks for the memory that a look-up soon needs.
  void prefetch(uint32_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }

  uint32_t insert(uint32_t hash) {
    size_t place = hash & mask_;  // The hashes are evenly spread already.
    while (slots_[place].number_plus_one != 0) {
      if (slots_[place].hash == hash) return slots_[place].number_plus_one - 1;
      place = (place + 1) & mask_;
    }
    names_.push_back(hash);
    const auto number_plus_one = static_cast<uint32_t>(names_.size());
    slots_[place] = {hash, number_plus_one};
    if (names_.size() * 3 > slots_.size() * 2) resize(slots_.size() * 2);
    return number_plus_one - 1;
  }

  std::vector<uint32_t> slots() const {
    std::vector<uint32_t> numbers(slots_.size());
    for (size_t place = 0; place < slots_.size(); ++place) {
      numbers[place] = slots_[place].number_plus_one;
    }
    return numbers;
  }

 private:
  struct Slot {
    uint32_t hash = 0;
    uint32_t number_plus_one = 0;  // 0: free.
  };

  void resize(size_t size) {
    slots_.assign(size, {});
    mask_ = size - 1;
    for (uint32_t number = 0; number < names_.size(); ++number) {
      size_t place = names_[number] & mask_;
      while (slots_[place].number_plus_one != 0) place = (place + 1) & mask_;
      slots_[place] = {names_[number], number + 1};
    }
  }

  std::vector<uint32_t>& names_;
  size_t mask_ = 0;
  std::vector<Slot> slots_;
};

// Numbers of the names, one after the other.
void number_names(const std::vector<uint32_t>& hashes, NameTable& names,
                  std::vector<uint32_t>& numbers) {
  for (size_t at = 0; at < hashes.size(); ++at) {
    names.prefetch(hashes[std::min(at + kLookAhead, hashes.size() - 1)]);
    numbers.push_back(names.insert(hashes[at]));
  }
}

void add_files(const std::vector<FolderRecord>& folders, GraphLists& graph) {
  graph.folder_begin.push_back(0);
  graph.reference_begin.push_back(0);
  graph.defined_begin.push_back(0);
  for (const FolderRecord& folder : folders) {
    FilePlace place;
    for (const FileRecord& file : folder.files) {
      graph.file_key.push_back(path_key(file.name));
      graph.lists_key.push_back(lists_key(folder, file, place));
      graph.reference_begin.push_back(graph.reference_begin.back() + file.reference_count);
      graph.defined_begin.push_back(graph.defined_begin.back() + file.defined_count);
      place.pass(file);
    }
    graph.folder_key.push_back(path_key(folder.path));
    graph.folder_begin.push_back(static_cast<uint32_t>(graph.file_key.size()));
    graph.reference_weight.insert(graph.reference_weight.end(), folder.reference_weights.begin(),
                                  folder.reference_weights.end());
  }
}

// A counting sort of (name, file) pairs by name.
void add_definers(size_t defined_count, GraphLists& graph) {
  graph.definer_begin.assign(defined_count + 1, 0);
  for (const uint32_t name : graph.defined_name) ++graph.definer_begin[name + 1];
  for (size_t name = 0; name < defined_count; ++name) {
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

}  // namespace

bool ReferenceGraph::find(uint32_t hash, uint32_t& number) const {
  if (slots.empty()) return false;
  const size_t mask = slots.size() - 1;
  size_t place = hash & mask;
  for (size_t step = 0; step < slots.size(); ++step, place = (place + 1) & mask) {
    if (slots[place] == 0 || slots[place] > name_hash.size()) return false;
    number = slots[place] - 1;
    if (name_hash[number] == hash) return true;
  }
  return false;
}

ReferenceGraph GraphLists::view() const {
  return {folder_key,     folder_begin,     file_key,      lists_key,    reference_begin,
          reference_name, reference_weight, defined_begin, defined_name, definer_begin,
          definer,        name_hash,        slots,         ranks,        attention};
}

uint64_t path_key(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

uint64_t lists_key(const FolderRecord& folder, const FileRecord& file, const FilePlace& place) {
  const auto part = [](const auto& list, size_t begin, size_t count, uint64_t seed) {
    return XXH3_64bits_withSeed(list.data() + begin, count * sizeof(list[0]), seed);
  };
  uint64_t key = part(folder.defined, place.defined, file.defined_count, 0);
  key = part(folder.reference_names, place.references, file.reference_count, key);
  return part(folder.reference_weights, place.references, file.reference_count, key);
}

GraphLists build_graph(const std::vector<FolderRecord>& folders) {
  size_t defined_count = 0;
  size_t reference_count = 0;
  for (const FolderRecord& folder : folders) {
    defined_count += folder.defined.size();
    reference_count += folder.reference_names.size();
  }
  GraphLists graph;
  graph.defined_name.reserve(defined_count);
  graph.reference_name.reserve(reference_count);
  graph.reference_weight.reserve(reference_count);
  add_files(folders, graph);
  NameTable names(graph, defined_count);
  for (const FolderRecord& folder : folders) {
    number_names(folder.defined, names, graph.defined_name);
  }
  add_definers(graph.name_hash.size(), graph);
  for (const FolderRecord& folder : folders) {
    number_names(folder.reference_names, names, graph.reference_name);
  }
  graph.slots = names.slots();
  return graph;
}

}  // namespace levin::tools
