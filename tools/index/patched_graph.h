// A reference graph with some files changed, added or removed: what changed is kept beside it.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "tools/index/graph.h"

namespace levin::tools {

// A file's lists as they are now. Empty for one that is gone.
struct FileLists {
  std::vector<uint32_t> defined;  // Hashes, as in FolderRecord.
  std::vector<uint32_t> reference_names;
  std::vector<uint8_t> reference_weights;
};

// The numbers of a FileLists.
struct NumberedLists {
  std::vector<uint32_t> defined;
  std::vector<uint32_t> reference_names;
  std::vector<uint8_t> reference_weights;
};

// Numbers that the base holds are checked when they are used: one that makes no sense is left out.
class PatchedGraph {
 public:
  // `base` has to outlive it.
  explicit PatchedGraph(const ReferenceGraph& base);

  size_t file_count() const { return file_count_; }
  size_t name_count() const { return base_.name_count() + new_names_.size(); }
  const ReferenceGraph& base() const { return base_; }

  std::span<const uint32_t> defined(uint32_t file) const;
  std::span<const uint32_t> definers(uint32_t name) const {
    if (name < is_name_changed_.size() && is_name_changed_[name] != 0) {
      return changed_definers(name);
    }
    if (name >= base_.defined_count()) return {};
    const uint32_t begin = base_.definer_begin[name];
    return base_.definer.subspan(begin, base_.definer_begin[name + 1] - begin);
  }
  uint32_t name_hash(uint32_t name) const;
  // `visit(name, share)` for each defined name that the file uses; the shares add up to 1.
  template <typename Visit>
  void visit_references(uint32_t file, Visit visit) const {
    const References all = references(file);
    float sum = 0;
    for (size_t at = 0; at < all.names.size(); ++at) {
      if (is_defined(all.names[at])) sum += static_cast<float>(all.weights[at]);
    }
    if (sum == 0) return;
    for (size_t at = 0; at < all.names.size(); ++at) {
      const uint32_t name = all.names[at];
      if (is_defined(name)) visit(name, static_cast<float>(all.weights[at]) / sum);
    }
  }

  // The lists with numbers, which names get that the graph did not have.
  NumberedLists numbered(const FileLists& lists);
  uint32_t add_file() { return static_cast<uint32_t>(file_count_++); }
  // `lists` by file; `definers` by name. Both replace what there was.
  void set_lists(uint32_t file, NumberedLists lists);
  void set_definers(uint32_t name, std::vector<uint32_t> definers);
  // Files of the base that use one of the names (by number: not 0), changed ones left out.
  std::vector<uint32_t> base_users(const std::vector<uint8_t>& names) const;

 private:
  struct References {
    std::span<const uint32_t> names;
    std::span<const uint8_t> weights;
  };

  bool is_defined(uint32_t name) const {
    if (name < is_name_changed_.size() && is_name_changed_[name] != 0) {
      return !changed_definers(name).empty();
    }
    return name < base_.defined_count();
  }
  std::span<const uint32_t> changed_definers(uint32_t name) const;
  const NumberedLists* changed_lists(uint32_t file) const;
  References references(uint32_t file) const;

  const ReferenceGraph& base_;
  size_t file_count_;
  std::vector<uint32_t> new_names_;  // Hashes.
  std::unordered_map<uint32_t, uint32_t> new_numbers_;
  std::unordered_map<uint32_t, NumberedLists> lists_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> definers_;
  std::vector<uint8_t> is_name_changed_;  // Empty, or by name.
};

}  // namespace levin::tools
