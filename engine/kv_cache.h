// KvCache: keys (rotated) and values of one softmax layer, in pages, so that growing never copies.
// What lies where in a page is for the kernels to know (kernels/kv_layout.h); rows are written by
// Ops::kv_write. Copies of a cache share pages; a shared page is copied when one side writes to it.
// Lightning layers have no cache: their state is fixed in size (state.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "kernels/device.h"
#include "kernels/kv_layout.h"

namespace levin::engine {

class KvCache {
 public:
  static constexpr int64_t kPageTokens = kernels::kKvPageTokens;

  KvCache(kernels::Device& device, const kernels::KvLayout& layout)
      : device_(&device), layout_(layout) {}

  // Makes the rows [first, first + count) writable: new pages, and own copies of shared ones.
  // Errors: kLimit when memory is short; rows before `first` are unchanged.
  Result<void> reserve(int64_t first, int64_t count);

  // Drops pages that hold only rows from `num_tokens` on.
  void truncate(int64_t num_tokens);

  // Page i holds the positions from i * kPageTokens on; written only after reserve().
  void* const* pages() const { return starts_.data(); }
  // The keys and values of one head of a step that begins at `position`.
  char* step(int64_t head, int64_t position) const;
  const kernels::KvLayout& layout() const { return layout_; }
  // Of all pages, shared ones included.
  size_t bytes() const { return pages_.size() * page_bytes(); }

 private:
  size_t page_bytes() const { return static_cast<size_t>(layout_.page_bytes()); }
  void set_page(size_t index, kernels::DeviceBuffer page);

  kernels::Device* device_;
  kernels::KvLayout layout_;
  // Shared because forks and snapshots read the same past; the last owner frees it.
  std::vector<std::shared_ptr<kernels::DeviceBuffer>> pages_;
  std::vector<void*> starts_;
};

}  // namespace levin::engine
