#include "kernels/cpu/huge_blocks.h"

#include <sys/mman.h>

#include <cstdlib>

namespace levin::kernels {
namespace {

// `bytes` in whole pages.
void* new_pages(size_t bytes) {
  const size_t rounded = (bytes + HugeBlocks::kPage - 1) / HugeBlocks::kPage * HugeBlocks::kPage;
  void* memory = std::aligned_alloc(HugeBlocks::kPage, rounded);
  if (memory != nullptr) ::madvise(memory, rounded, MADV_HUGEPAGE);  // A wish: it may fail.
  return memory;
}

}  // namespace

HugeBlocks::~HugeBlocks() {
  for (void* page : pages_) std::free(page);
  for (const auto& [memory, size] : size_of_) {
    if (size == kSizes) std::free(memory);
  }
}

void* HugeBlocks::allocate(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  int size = 0;
  while (size < kSizes && bytes > kSmallest << size) ++size;
  void* memory = nullptr;
  if (size == kSizes) {
    memory = new_pages(bytes);
    if (memory == nullptr) return nullptr;
  } else {
    if (free_[size].empty()) {
      void* page = new_pages(kPage);
      if (page == nullptr) return nullptr;
      pages_.push_back(page);
      // The lowest address goes out first: a model's layers lie in their order.
      for (size_t at = kPage; at > 0; at -= kSmallest << size) {
        free_[size].push_back(static_cast<char*>(page) + at - (kSmallest << size));
      }
    }
    memory = free_[size].back();
    free_[size].pop_back();
  }
  size_of_[memory] = size;
  return memory;
}

bool HugeBlocks::release(void* memory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = size_of_.find(memory);
  if (found == size_of_.end()) return false;
  if (found->second == kSizes) {
    std::free(memory);
  } else {
    free_[found->second].push_back(memory);
  }
  size_of_.erase(found);
  return true;
}

}  // namespace levin::kernels
