#include "kernels/cpu/huge_blocks.h"

#include <sys/mman.h>

#include <cstdint>

namespace levin::kernels {
namespace {

size_t whole_pages(size_t bytes) {
  return (bytes + HugeBlocks::kPage - 1) / HugeBlocks::kPage * HugeBlocks::kPage;
}

// `bytes` (whole pages), aligned to a page, zeroed by the kernel when they are first touched.
void* new_pages(size_t bytes) {
  constexpr size_t kPage = HugeBlocks::kPage;
  if (bytes > SIZE_MAX - kPage) return nullptr;
  void* mapped = ::mmap(nullptr, bytes + kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  // One page more than needed, so that an aligned part lies in it: what is around it goes back.
  char* const begin = static_cast<char*>(mapped);
  const size_t before = (kPage - reinterpret_cast<uintptr_t>(begin) % kPage) % kPage;
  char* const memory = begin + before;
  if (before > 0) ::munmap(begin, before);
  ::munmap(memory + bytes, kPage - before);
  ::madvise(memory, bytes, MADV_HUGEPAGE);  // A wish: it may fail.
  return memory;
}

}  // namespace

HugeBlocks::~HugeBlocks() {
  for (void* page : pages_) ::munmap(page, kPage);
  for (const auto& [bytes, memory] : kept_) ::munmap(memory, bytes);
  for (const auto& [memory, bytes] : bytes_of_) {
    if (bytes > kPage / 2) ::munmap(memory, bytes);
  }
}

HugeBlocks::Block HugeBlocks::allocate(size_t bytes) {
  if (bytes > SIZE_MAX - kPage) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  int size = 0;
  while (size < kSizes && bytes > kSmallest << size) ++size;
  if (size == kSizes) return allocate_pages(whole_pages(bytes));
  if (free_[size].empty()) {
    void* page = new_pages(kPage);
    if (page == nullptr) return {};
    pages_.push_back(page);
    // The lowest address goes out first: a model's layers lie in their order.
    for (size_t at = kPage; at > 0; at -= kSmallest << size) {
      free_[size].push_back({static_cast<char*>(page) + at - (kSmallest << size), true});
    }
  }
  const Block block = free_[size].back();
  free_[size].pop_back();
  bytes_of_[block.memory] = kSmallest << size;
  return block;
}

// Under the lock, as release_pages().
HugeBlocks::Block HugeBlocks::allocate_pages(size_t bytes) {
  Block block{nullptr, false};
  if (const auto kept = kept_.find(bytes); kept != kept_.end()) {
    block.memory = kept->second;
    kept_bytes_ -= bytes;
    kept_.erase(kept);
  } else {
    block = {new_pages(bytes), true};
  }
  if (block.memory != nullptr) bytes_of_[block.memory] = bytes;
  return block;
}

void HugeBlocks::release_pages(void* memory, size_t bytes) {
  if (kept_bytes_ + bytes > kKeptMax) {
    ::munmap(memory, bytes);
    return;
  }
  kept_bytes_ += bytes;
  kept_.emplace(bytes, memory);
}

bool HugeBlocks::release(void* memory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = bytes_of_.find(memory);
  if (found == bytes_of_.end()) return false;
  if (found->second > kPage / 2) {
    release_pages(memory, found->second);
  } else {
    int size = 0;
    while (kSmallest << size < found->second) ++size;
    free_[size].push_back({memory, false});
  }
  bytes_of_.erase(found);
  return true;
}

}  // namespace levin::kernels
