// KvCache: keys (rotated) and values of one softmax layer, in pages, so that growing never copies.
// Lightning layers have no cache: their state is fixed in size (State in state.h).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "kernels/device.h"

namespace levin::engine {

class KvCache {
 public:
  // Tokens per page. One page of M1 is 2 x 256 x 8 x 128 x 4 bytes = 2 MiB: a huge page each for K,
  // V.
  static constexpr int64_t kPageTokens = kernels::kAttentionPageMax;

  KvCache(kernels::Device& device, int64_t num_kv_heads, int64_t head_dim)
      : device_(&device), row_floats_(num_kv_heads * head_dim) {}

  // Makes room for `num_tokens` in all. Errors: kLimit when memory is short; the cache is
  // unchanged.
  Result<void> reserve(int64_t num_tokens);

  // Where the row [num_kv_heads, head_dim] of a reserved position lies.
  float* key_row(int64_t position) const;
  float* value_row(int64_t position) const;

  const float* const* key_pages() const { return key_pages_.data(); }
  const float* const* value_pages() const { return value_pages_.data(); }
  size_t bytes() const { return pages_.size() * page_floats() * sizeof(float); }

 private:
  size_t page_floats() const { return static_cast<size_t>(kPageTokens * row_floats_); }

  kernels::Device* device_;
  int64_t row_floats_;
  std::vector<kernels::DeviceBuffer> pages_;  // K and V in turn.
  std::vector<float*> key_pages_;
  std::vector<float*> value_pages_;
};

}  // namespace levin::engine
