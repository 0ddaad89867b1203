// Memory in huge pages (2 MiB) where the kernel grants them: reading it is 15 to 30 % faster.
// Blocks of 128 KiB to 1 MiB, such as a layer's linear state, share a page with others of their
// size; what is released is handed out again, and goes back to the kernel when this is destroyed.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace levin::kernels {

class HugeBlocks {
 public:
  static constexpr size_t kPage = size_t{2} << 20;
  static constexpr size_t kSmallest = size_t{128} << 10;

  HugeBlocks() = default;
  ~HugeBlocks();
  HugeBlocks(const HugeBlocks&) = delete;
  HugeBlocks& operator=(const HugeBlocks&) = delete;

  // For bytes >= kSmallest: not zeroed, aligned to the block's size (at most to kPage). Null when
  // there is no memory. May be called from any thread, as release().
  void* allocate(size_t bytes);

  // False when `memory` is not from here.
  bool release(void* memory);

 private:
  static constexpr int kSizes = 4;  // 128, 256, 512 KiB, 1 MiB

  std::mutex mutex_;
  std::vector<void*> pages_;                // Cut into blocks; freed at the end.
  std::vector<void*> free_[kSizes];         // Blocks by size.
  std::unordered_map<void*, int> size_of_;  // Of blocks in use; kSizes: pages of their own.
};

}  // namespace levin::kernels
