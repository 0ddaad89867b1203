// Memory in huge pages (2 MiB) where the kernel grants them: reading it is 15 to 30 % faster.
// Blocks of 128 KiB to 1 MiB, such as a layer's linear state, share a page with others of their
// size; what is released is handed out again, since first touching new memory is slow (clearing it,
// and on a virtual machine getting it from the host: 0.4 GB/s was seen).
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace levin::kernels {

class HugeBlocks {
 public:
  static constexpr size_t kPage = size_t{2} << 20;
  static constexpr size_t kSmallest = size_t{128} << 10;
  // Of released pages that are kept for the next who asks for as many: a session's buffers.
  static constexpr size_t kKeptMax = size_t{256} << 20;

  HugeBlocks() = default;
  ~HugeBlocks();
  HugeBlocks(const HugeBlocks&) = delete;
  HugeBlocks& operator=(const HugeBlocks&) = delete;

  struct Block {
    void* memory = nullptr;  // Null when there is none.
    bool is_zeroed = false;  // Never used before: the kernel clears it when it is touched.
  };

  // For bytes >= kSmallest: aligned to the block's size (at most to kPage). May be called from any
  // thread, as release().
  Block allocate(size_t bytes);

  // False when `memory` is not from here.
  bool release(void* memory);

 private:
  static constexpr int kSizes = 4;  // 128, 256, 512 KiB, 1 MiB

  Block allocate_pages(size_t bytes);
  void release_pages(void* memory, size_t bytes);

  std::mutex mutex_;
  std::vector<void*> pages_;                    // Cut into blocks; freed at the end.
  std::vector<Block> free_[kSizes];             // Blocks by size.
  std::multimap<size_t, void*> kept_;           // Released pages by their bytes.
  size_t kept_bytes_ = 0;
  std::unordered_map<void*, size_t> bytes_of_;  // Of what is in use; over 1 MiB: own pages.
};

}  // namespace levin::kernels
