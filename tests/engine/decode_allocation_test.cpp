// Decoding allocates nothing: every operator new of this program is counted, and every request to
// the device. A new page of keys and values, every kKvPageTokens tokens, is the one exception.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/session.h"

namespace {

std::atomic<int64_t> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace levin::engine {
namespace {

// Forwards to a CPU device and counts.
class CountingDevice final : public kernels::Device {
 public:
  explicit CountingDevice(kernels::Device& device) : device_(device) {}
  const kernels::Ops& ops() const override { return device_.ops(); }
  const kernels::Parallel& parallel() const override { return device_.parallel(); }
  std::string name() const override { return "counting"; }
  Result<void*> allocate(size_t bytes, kernels::Fill fill) override {
    ++allocations;
    return device_.allocate(bytes, fill);
  }
  void release(void* memory) override { device_.release(memory); }
  void copy(void* to, const void* from, size_t bytes) override { device_.copy(to, from, bytes); }
  void copy_to_host(void* host, const void* device, size_t bytes) override {
    device_.copy_to_host(host, device, bytes);
  }

 private:
  kernels::Device& device_;
};

class DecodeAllocationTest : public testing::TestWithParam<Speculation> {};

TEST_P(DecodeAllocationTest, AStepAllocatesNothing) {
  for (const Precision precision : {Precision::kExact, Precision::kNative}) {
    kernels::CpuOptions cpu;
    cpu.num_threads = 2;
    auto device = kernels::make_cpu_device(cpu);
    ASSERT_TRUE(device);
    CountingDevice counting(**device);
    LoadOptions load;
    load.precision = precision;
    auto model =
        load_model(std::string(LEVIN_SOURCE_DIR) + "/tests/golden/minimax_m1/base_7to1", load);
    ASSERT_TRUE(model) << model.error().message();
    SessionOptions options;
    options.speculation = GetParam();
    if (precision == Precision::kNative) options.kv_dtype = kernels::DType::kBF16;
    auto session = Session::open(**model, counting, options);
    ASSERT_TRUE(session);
    std::vector<TokenId> prompt;
    for (TokenId id = 0; id < 40; ++id) prompt.push_back(id % 13);
    ASSERT_TRUE(session->append(prompt));
    SampleOptions sample;
    sample.temperature = 0.7;
    ASSERT_TRUE(session->sample(sample));  // The prompt, and the first buffers.
    ASSERT_TRUE(session->sample(sample));
    const int64_t before = allocations.load();
    for (int i = 0; i < 200; ++i) {
      const Result<TokenId> id = session->sample(sample);
      if (!id) FAIL() << id.error().message();
    }
    EXPECT_EQ(allocations.load() - before, 0);
    EXPECT_LT(session->token_log().size(), size_t{KvCache::kPageTokens}) << "within a page";
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, DecodeAllocationTest,
                         testing::Values(Speculation::kOff, Speculation::kWherePays,
                                         Speculation::kAlways),
                         [](const auto& one) {
                           return std::string("speculation_") +
                                  std::to_string(static_cast<int>(one.param));
                         });

TEST(Counting, Counts) {
  const int64_t before = allocations.load();
  const std::vector<int> one(1000);
  EXPECT_EQ(one.size(), 1000u);
  EXPECT_GT(allocations.load(), before);
}

}  // namespace
}  // namespace levin::engine
