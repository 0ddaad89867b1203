#include "engine/kv_cache.h"

#include <algorithm>

namespace levin::engine {

void KvCache::set_page(size_t index, kernels::DeviceBuffer page) {
  key_pages_[index] = page.data();
  value_pages_[index] = page.data() + half_floats();
  // Shared with later copies of this cache; see pages_.
  pages_[index] = std::make_shared<kernels::DeviceBuffer>(std::move(page));
}

Result<void> KvCache::reserve(int64_t first, int64_t count) {
  const auto first_page = static_cast<size_t>(first / kPageTokens);
  const auto last_page = static_cast<size_t>((first + count - 1) / kPageTokens);
  for (size_t index = first_page; index <= last_page; ++index) {
    const bool is_new = index >= pages_.size();
    if (!is_new && pages_[index].use_count() == 1) continue;
    TRY_ASSIGN(kernels::DeviceBuffer page,
               kernels::DeviceBuffer::create(*device_, 2 * half_floats()));
    if (is_new) {
      pages_.emplace_back();
      key_pages_.push_back(nullptr);
      value_pages_.push_back(nullptr);
    } else {
      device_->copy(page.data(), pages_[index]->data(), page.size() * sizeof(float));
    }
    set_page(index, std::move(page));
  }
  return {};
}

void KvCache::truncate(int64_t num_tokens) {
  const auto count = static_cast<size_t>((num_tokens + kPageTokens - 1) / kPageTokens);
  if (count >= pages_.size()) return;
  pages_.resize(count);
  key_pages_.resize(count);
  value_pages_.resize(count);
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
