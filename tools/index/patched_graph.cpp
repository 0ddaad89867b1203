#include "tools/index/patched_graph.h"

namespace levin::tools {

PatchedGraph::PatchedGraph(const ReferenceGraph& base)
    : base_(base), file_count_(base.file_count()) {}

const NumberedLists* PatchedGraph::changed_lists(uint32_t file) const {
  if (lists_.empty()) return nullptr;
  const auto found = lists_.find(file);
  return found == lists_.end() ? nullptr : &found->second;
}

std::span<const uint32_t> PatchedGraph::defined(uint32_t file) const {
  if (const NumberedLists* const changed = changed_lists(file)) return changed->defined;
  if (file >= base_.file_count()) return {};
  const uint32_t begin = base_.defined_begin[file];
  return base_.defined_name.subspan(begin, base_.defined_begin[file + 1] - begin);
}

PatchedGraph::References PatchedGraph::references(uint32_t file) const {
  if (const NumberedLists* const changed = changed_lists(file)) {
    return {changed->reference_names, changed->reference_weights};
  }
  if (file >= base_.file_count()) return {};
  const uint32_t begin = base_.reference_begin[file];
  const uint32_t count = base_.reference_begin[file + 1] - begin;
  return {base_.reference_name.subspan(begin, count), base_.reference_weight.subspan(begin, count)};
}

std::span<const uint32_t> PatchedGraph::changed_definers(uint32_t name) const {
  return definers_.at(name);
}

uint32_t PatchedGraph::name_hash(uint32_t name) const {
  const size_t count = base_.name_count();
  return name < count ? base_.name_hash[name] : new_names_[name - count];
}

NumberedLists PatchedGraph::numbered(const FileLists& lists) {
  const auto number_of = [&](uint32_t hash) {
    uint32_t number = 0;
    if (base_.find(hash, number)) return number;
    const auto [entry, is_new] =
        new_numbers_.try_emplace(hash, static_cast<uint32_t>(name_count()));
    if (is_new) new_names_.push_back(hash);
    return entry->second;
  };
  NumberedLists numbers;
  for (const uint32_t hash : lists.defined) numbers.defined.push_back(number_of(hash));
  for (const uint32_t hash : lists.reference_names) {
    numbers.reference_names.push_back(number_of(hash));
  }
  numbers.reference_weights = lists.reference_weights;
  return numbers;
}

void PatchedGraph::set_lists(uint32_t file, NumberedLists lists) {
  lists_[file] = std::move(lists);
}

void PatchedGraph::set_definers(uint32_t name, std::vector<uint32_t> definers) {
  is_name_changed_.resize(name_count(), 0);
  is_name_changed_[name] = 1;
  definers_[name] = std::move(definers);
}

std::vector<uint32_t> PatchedGraph::base_users(const std::vector<uint8_t>& names) const {
  std::vector<uint32_t> users;
  for (uint32_t file = 0; file < base_.file_count(); ++file) {
    bool is_user = false;
    for (uint32_t at = base_.reference_begin[file]; at < base_.reference_begin[file + 1]; ++at) {
      const uint32_t name = base_.reference_name[at];
      is_user = is_user || (name < names.size() && names[name] != 0);
    }
    if (is_user && changed_lists(file) == nullptr) users.push_back(file);
  }
  return users;
}

}  // namespace levin::tools
