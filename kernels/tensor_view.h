// Non-owning views of weights. Activations are plain float pointers: they are always float32.
// POD only: this header is seen by files compiled for one instruction set and by .cu files.
#pragma once

#include <cstddef>
#include <cstdint>

namespace levin::kernels {

enum class DType : uint8_t { kF32, kF16, kBF16 };

constexpr size_t dtype_size(DType dtype) {
  return dtype == DType::kF32 ? 4 : 2;
}

// [rows, cols], row-major, without gaps. The data may lie at any address (safetensors does not
// align).
struct MatrixView {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
};

}  // namespace levin::kernels
