#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/huge_blocks.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/device.h"

namespace levin::kernels {
namespace {

constexpr size_t kAlignment = 64;

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

#if defined(__x86_64__)
bool has_f16c() {
#if defined(__clang__)
  // Clang 14 does not know the name. Every CPU with AVX2 has F16C, which is older.
  return __builtin_cpu_supports("avx2");
#else
  return __builtin_cpu_supports("f16c");
#endif
}
#endif

bool cpu_has(CpuIsa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case CpuIsa::kAvx512:  // Its files are compiled with those of AVX2 as well.
      return cpu_has(CpuIsa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512dq");
    case CpuIsa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    default:
      return true;
  }
#else
  return isa == CpuIsa::kReference || isa == CpuIsa::kBaseline;
#endif
}

const Ops& ops_of(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::kReference:
      return reference_ops();
    case CpuIsa::kBaseline:
      return baseline_ops();
    case CpuIsa::kAvx2:
      return avx2_ops();
    case CpuIsa::kAvx512:
      return avx512_ops();
  }
  return reference_ops();
}

class CpuDevice final : public Device {
 public:
  CpuDevice(CpuIsa isa, int num_threads)
      : isa_(isa), pool_(num_threads), parallel_(pool_.parallel()) {}

  const Ops& ops() const override { return ops_of(isa_); }
  const Parallel& parallel() const override { return parallel_; }

  std::string name() const override {
    return std::string("CPU, ") + cpu_isa_name(isa_) + ", " + std::to_string(pool_.num_threads()) +
           (pool_.num_threads() == 1 ? " thread" : " threads");
  }

  Result<void*> allocate(size_t bytes, Fill fill) override {
    const bool is_large = bytes >= HugeBlocks::kSmallest;
    const size_t rounded = std::max((bytes + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
    const HugeBlocks::Block block =
        is_large ? huge_.allocate(rounded)
                 : HugeBlocks::Block{std::aligned_alloc(kAlignment, rounded), false};
    if (block.memory == nullptr) {
      return Error(ErrorCode::kLimit, "cannot allocate " + std::to_string(bytes) + " bytes");
    }
    if (fill == Fill::kZero && !block.is_zeroed) std::memset(block.memory, 0, rounded);
    return block.memory;
  }
  void release(void* memory) override {
    if (!huge_.release(memory)) std::free(memory);
  }
  void copy(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void copy_to_host(void* host, const void* device, size_t bytes) override {
    std::memcpy(host, device, bytes);
  }

 private:
  CpuIsa isa_;
  HugeBlocks huge_;
  ThreadPool pool_;
  Parallel parallel_;
};

}  // namespace

CpuIsa best_cpu_isa() {
  for (CpuIsa isa : {CpuIsa::kAvx512, CpuIsa::kAvx2}) {
    if (cpu_has(isa)) return isa;
  }
  return CpuIsa::kBaseline;
}

Peaks cpu_peaks(CpuIsa isa) {
#if defined(__x86_64__)
  if (isa == CpuIsa::kAvx512 && __builtin_cpu_supports("avx512vnni") &&
      __builtin_cpu_supports("avx512bf16")) {
    return avx512_peaks();
  }
  if ((isa == CpuIsa::kAvx512 || isa == CpuIsa::kAvx2) && cpu_has(CpuIsa::kAvx2)) {
    return avx2_peaks();
  }
#endif
  return {};
}

const char* cpu_isa_name(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::kReference:
      return "reference";
    case CpuIsa::kBaseline:
      return "baseline";
    case CpuIsa::kAvx2:
      return "avx2";
    case CpuIsa::kAvx512:
      return "avx512";
  }
  return "?";
}

Result<std::unique_ptr<Device>> make_cpu_device(const CpuOptions& options) {
  if (!cpu_has(options.isa)) {
    return Error(ErrorCode::kUnsupported, std::string("this CPU has no ") +
                                              cpu_isa_name(options.isa) + "; the best it has is " +
                                              cpu_isa_name(best_cpu_isa()));
  }
  const int num_threads = options.num_threads > 0 ? options.num_threads : available_cores();
  std::unique_ptr<Device> device = std::make_unique<CpuDevice>(options.isa, num_threads);
  if (device->parallel().num_workers < num_threads) {
    return Error(ErrorCode::kLimit, "the system allows " +
                                        std::to_string(device->parallel().num_workers) + " of " +
                                        std::to_string(num_threads) + " threads");
  }
  return device;
}

Result<DeviceBuffer> DeviceBuffer::create(Device& device, size_t count, Fill fill) {
  TRY_ASSIGN(void* memory, device.allocate(count * sizeof(float), fill));
  DeviceBuffer buffer;
  buffer.device_ = &device;
  buffer.data_ = static_cast<float*>(memory);
  buffer.size_ = count;
  return buffer;
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : device_(other.device_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (data_ != nullptr) device_->release(data_);
}

}  // namespace levin::kernels
