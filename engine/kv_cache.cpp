#include "engine/kv_cache.h"

namespace levin::engine {

void KvCache::set_page(size_t index, kernels::DeviceBuffer page) {
  starts_[index] = page.data();
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
               kernels::DeviceBuffer::create(*device_, page_bytes() / sizeof(float),
                                             is_new ? kernels::Fill::kZero : kernels::Fill::kNone));
    if (is_new) {
      pages_.emplace_back();
      starts_.push_back(nullptr);
    } else {
      device_->copy(page.data(), pages_[index]->data(), page_bytes());
    }
    set_page(index, std::move(page));
  }
  return {};
}

void KvCache::truncate(int64_t num_tokens) {
  const auto count = static_cast<size_t>((num_tokens + kPageTokens - 1) / kPageTokens);
  if (count >= pages_.size()) return;
  pages_.resize(count);
  starts_.resize(count);
}

char* KvCache::step(int64_t head, int64_t position) const {
  const int64_t element = layout_.key_at(head, position % kPageTokens, 0);
  return static_cast<char*>(starts_[static_cast<size_t>(position / kPageTokens)]) +
         static_cast<size_t>(element) * kernels::dtype_size(layout_.dtype);
}

}  // namespace levin::engine
