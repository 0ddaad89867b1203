// Non-owning views of weights. Activations are plain float pointers: they are always float32.
// POD only: this header is seen by files compiled for one instruction set and by .cu files.
#pragma once

#include <cstddef>
#include <cstdint>

namespace levin::kernels {

// The first three are row-major; the others are tiles of 16 rows x 32 columns (kernels/tiles.h).
enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kTileQ4,
  kTileQ4M,
  kTileQ8,
  kTileQ8G16,
  kTileI8,
  kTileBF16,
};

constexpr bool is_tiled(DType dtype) {
  return dtype >= DType::kTileQ4;
}

// Bytes of one element of a row-major type.
constexpr size_t dtype_size(DType dtype) {
  return dtype == DType::kF32 ? 4 : 2;
}

// [rows, cols] without gaps: row-major, or the panels of a tiled type. The data may lie at any
// address (safetensors does not align).
struct MatrixView {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
};

}  // namespace levin::kernels
