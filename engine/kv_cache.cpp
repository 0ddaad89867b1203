#include "engine/kv_cache.h"

namespace levin::engine {

Result<void> KvCache::reserve(int64_t num_tokens) {
  while (static_cast<int64_t>(key_pages_.size()) * kPageTokens < num_tokens) {
    TRY_ASSIGN(kernels::DeviceBuffer keys, kernels::DeviceBuffer::create(*device_, page_floats()));
    TRY_ASSIGN(kernels::DeviceBuffer values,
               kernels::DeviceBuffer::create(*device_, page_floats()));
    key_pages_.push_back(keys.data());
    value_pages_.push_back(values.data());
    pages_.push_back(std::move(keys));
    pages_.push_back(std::move(values));
  }
  return {};
}

float* KvCache::key_row(int64_t position) const {
  return key_pages_[static_cast<size_t>(position / kPageTokens)] +
         position % kPageTokens * row_floats_;
}

float* KvCache::value_row(int64_t position) const {
  return value_pages_[static_cast<size_t>(position / kPageTokens)] +
         position % kPageTokens * row_floats_;
}

}  // namespace levin::engine
