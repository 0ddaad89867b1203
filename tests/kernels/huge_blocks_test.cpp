// Blocks of huge pages: aligned, never overlapping, handed out again, and known from other memory.
#include "kernels/cpu/huge_blocks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <random>

#include "kernels/device.h"

namespace levin::kernels {
namespace {

TEST(HugeBlocks, RandomUseKeepsEveryBlockToItself) {
  HugeBlocks blocks;
  std::mt19937_64 random(5);
  std::map<char*, std::pair<size_t, char>> live;
  for (int step = 0; step < 400; ++step) {
    if (live.size() < 12 || random() % 2 == 0) {
      const size_t bytes = HugeBlocks::kSmallest + random() % (size_t{3} << 20);
      const HugeBlocks::Block block = blocks.allocate(bytes);
      auto* memory = static_cast<char*>(block.memory);
      ASSERT_NE(memory, nullptr);
      for (size_t at = 0; block.is_zeroed && at < bytes; at += 509) ASSERT_EQ(memory[at], 0);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % HugeBlocks::kSmallest, 0u);
      const auto mark = static_cast<char>(step);
      std::memset(memory, mark, bytes);
      ASSERT_TRUE(live.emplace(memory, std::pair(bytes, mark)).second) << "handed out twice";
    } else {
      const auto one = std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
      const auto [bytes, mark] = one->second;
      for (size_t at = 0; at < bytes; at += 4093) ASSERT_EQ(one->first[at], mark);
      ASSERT_EQ(one->first[bytes - 1], mark);
      ASSERT_TRUE(blocks.release(one->first));
      ASSERT_FALSE(blocks.release(one->first)) << "released twice";
      live.erase(one);
    }
  }
}

TEST(HugeBlocks, ReleasedBlocksAreUsedAgain) {
  HugeBlocks blocks;
  void* first = blocks.allocate(size_t{1} << 20).memory;
  void* second = blocks.allocate(size_t{1} << 20).memory;
  EXPECT_EQ(static_cast<char*>(second) - static_cast<char*>(first), 1 << 20) << "one page for both";
  ASSERT_TRUE(blocks.release(first));
  const HugeBlocks::Block again = blocks.allocate((size_t{1} << 20) - 5);
  EXPECT_EQ(again.memory, first);
  EXPECT_FALSE(again.is_zeroed);
  void* const large = blocks.allocate(size_t{5} << 20).memory;
  ASSERT_TRUE(blocks.release(large));
  EXPECT_EQ(blocks.allocate((size_t{6} << 20) - 5).memory, large) << "as many pages";
  int other = 0;
  EXPECT_FALSE(blocks.release(&other));
}

TEST(HugeBlocks, SizesThatNoMachineHasGiveNothing) {
  HugeBlocks blocks;
  EXPECT_EQ(blocks.allocate(SIZE_MAX - 5).memory, nullptr);
  EXPECT_EQ(blocks.allocate(size_t{1} << 60).memory, nullptr);
}

// A device's memory is zeroed also where it was used before.
TEST(HugeBlocks, DeviceMemoryIsZeroed) {
  auto device = make_cpu_device({1, CpuIsa::kReference});
  ASSERT_TRUE(device);
  for (const size_t count : {size_t{16}, size_t{1} << 16, size_t{1} << 20}) {
    for (int round = 0; round < 2; ++round) {
      auto buffer = DeviceBuffer::create(**device, count);
      ASSERT_TRUE(buffer);
      for (size_t i = 0; i < count; ++i) ASSERT_EQ(buffer->data()[i], 0.0f);
      std::fill_n(buffer->data(), count, 1.0f);
    }
  }
}

}  // namespace
}  // namespace levin::kernels
