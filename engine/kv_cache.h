// KvCache: keys (rotated) and values of one softmax layer, in pages, so that growing never copies.
// Copies of a cache share pages; a shared page is copied when one side writes to it. Lightning
// layers have no cache: their state is fixed in size (state.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "kernels/device.h"

namespace levin::engine {

class KvCache {
 public:
  // Tokens per page. One page of M1 is 2 x 256 x 8 x 128 x 4 bytes = 2 MiB: a huge page for K and
  // V.
  static constexpr int64_t kPageTokens = kernels::kAttentionPageMax;

  KvCache(kernels::Device& device, int64_t num_kv_heads, int64_t head_dim)
      : device_(&device), row_floats_(num_kv_heads * head_dim) {}

  // Makes the rows [first, first + count) writable: new pages, and own copies of shared ones.
  // Errors: kLimit when memory is short; rows before `first` are unchanged.
  Result<void> reserve(int64_t first, int64_t count);

  // Drops pages that hold only rows from `num_tokens` on.
  void truncate(int64_t num_tokens);

  // Where the row [num_kv_heads, head_dim] of a position lies; written only after reserve().
  float* key_row(int64_t position) const;
  float* value_row(int64_t position) const;

  const float* const* key_pages() const { return key_pages_.data(); }
  const float* const* value_pages() const { return value_pages_.data(); }
  int64_t row_floats() const { return row_floats_; }
  // Of all pages, shared ones included.
  size_t bytes() const { return pages_.size() * 2 * half_floats() * sizeof(float); }

 private:
  // A page's keys, then its values.
  size_t half_floats() const { return static_cast<size_t>(kPageTokens * row_floats_); }
  void set_page(size_t index, kernels::DeviceBuffer page);

  kernels::Device* device_;
  int64_t row_floats_;
  // Shared because forks and snapshots read the same past; the last owner frees it.
  std::vector<std::shared_ptr<kernels::DeviceBuffer>> pages_;
  std::vector<float*> key_pages_;
  std::vector<float*> value_pages_;
};

}  // namespace levin::engine
