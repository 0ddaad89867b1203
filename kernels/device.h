// Device: where a model's maths runs. The engine holds a Device& and never asks which kind it is.
// A new backend fills `Ops` and, where memory is not the host's, the three memory functions.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"
#include "kernels/ops.h"

namespace levin::kernels {

// What new memory holds: kNone where the caller writes all of it before it reads.
enum class Fill { kZero, kNone };

class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  virtual const Ops& ops() const = 0;
  virtual const Parallel& parallel() const = 0;
  virtual std::string name() const = 0;

  // Memory of `bytes`, aligned to 64. Errors: kLimit when it cannot be had. Freed by release().
  virtual Result<void*> allocate(size_t bytes, Fill fill) = 0;
  virtual void release(void* memory) = 0;
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, size_t bytes) = 0;

 protected:
  Device() = default;
};

// Owns `count` floats on a device. Movable.
class DeviceBuffer {
 public:
  static Result<DeviceBuffer> create(Device& device, size_t count, Fill fill = Fill::kZero);
  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  ~DeviceBuffer();

  float* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  Device* device_ = nullptr;
  float* data_ = nullptr;
  size_t size_ = 0;
};

enum class CpuIsa { kReference, kBaseline, kAvx2, kAvx512 };

// The widest instruction set that this CPU and kernel offer.
CpuIsa best_cpu_isa();
const char* cpu_isa_name(CpuIsa isa);

struct CpuOptions {
  int num_threads = 0;  // 0: one per core that the process may use.
  CpuIsa isa = best_cpu_isa();
};

// Errors: kUnsupported when the CPU lacks the instruction set asked for; kLimit when the system
// does not allow so many threads.
Result<std::unique_ptr<Device>> make_cpu_device(const CpuOptions& options);

}  // namespace levin::kernels
