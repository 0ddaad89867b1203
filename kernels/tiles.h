// Weight tiles: the layout that the fast matrix kernels read, in exactly the order they read it, so
// that each thread sees one linear stream. A matrix [rows, cols] is a sequence of panels of 16 rows
// (the last one padded with zero rows); a panel is a sequence of tiles of 16 rows x 32 columns.
// Numbers are little-endian; scales are half precision unless said otherwise.
//
//   kTileQ4     scale[16], then 256 bytes of nibbles. Byte i*64 + r*4 + j (i < 4, j < 4) holds q of
//               row r: column i*4 + j in the low nibble, column 16 + i*4 + j in the high one.
//               w = scale * (q - 8). A GGUF Q4_0 block is the same numbers in another order.
//   kTileQ4M    scale[16], min[16], nibbles as above. w = scale * q - min (GGUF Q4_K).
//   kTileQ8     scale[16], then 512 bytes: byte i*64 + r*4 + j (i < 8) holds q + 128 of row r,
//               column i*4 + j. w = scale * q (GGUF Q8_0).
//   kTileQ8G16  scale[2][16]: columns 0..15, then 16..31; bytes as kTileQ8 (GGUF Q6_K).
//   kTileI8     one float32 scale[16] for the whole panel, then tiles of 512 bytes as kTileQ8.
//   kTileBF16   element of row r, column c at ((c / 2) * 16 + r) * 2 + c % 2.
//
// Four columns of a row lie side by side because vpdpbusd sums four products, two for vdpbf16ps.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/tensor_view.h"

namespace levin::kernels {

constexpr int64_t kTileRows = 16;
constexpr int64_t kTileCols = 32;

// Bytes of one tile of 16 x 32 weights. 0 for a row-major type.
constexpr size_t tile_bytes(DType dtype) {
  switch (dtype) {
    case DType::kTileQ4:
      return 288;
    case DType::kTileQ4M:
      return 320;
    case DType::kTileQ8:
      return 544;
    case DType::kTileQ8G16:
      return 576;
    case DType::kTileI8:
      return 512;
    case DType::kTileBF16:
      return 1024;
    default:
      return 0;
  }
}

// Bytes before a panel's first tile.
constexpr size_t panel_header_bytes(DType dtype) {
  return dtype == DType::kTileI8 ? 64 : 0;
}

constexpr int64_t num_panels(int64_t rows) {
  return (rows + kTileRows - 1) / kTileRows;
}

// Only matrices whose columns fill whole tiles can be tiled; others stay row-major.
constexpr bool can_tile(int64_t cols) {
  return cols > 0 && cols % kTileCols == 0;
}

constexpr size_t panel_bytes(DType dtype, int64_t cols) {
  return panel_header_bytes(dtype) + static_cast<size_t>(cols / kTileCols) * tile_bytes(dtype);
}

constexpr size_t tiled_bytes(DType dtype, int64_t rows, int64_t cols) {
  return static_cast<size_t>(num_panels(rows)) * panel_bytes(dtype, cols);
}

}  // namespace levin::kernels
