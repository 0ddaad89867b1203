#include "kernels/tile_packing.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace levin::kernels {
namespace {

template <typename T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

uint16_t round_to_bf16(float value) {
  const auto raw = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(raw >> 16 | 0x40u);
  return static_cast<uint16_t>((raw + 0x7FFFu + (raw >> 16 & 1u)) >> 16);
}

// The stored number of a nibble or byte type, without scale, of row r and column c of a tile.
int stored(DType dtype, const char* weights, int64_t r, int64_t c) {
  if (dtype == DType::kTileQ4 || dtype == DType::kTileQ4M) {
    const auto byte = load<uint8_t>(weights + (c % 16) / 4 * 64 + r * 4 + c % 4);
    return c < 16 ? byte & 15 : byte >> 4;
  }
  return int{load<uint8_t>(weights + c / 4 * 64 + r * 4 + c % 4)} - 128;
}

float tiled_weight(const MatrixView& w, int64_t row, int64_t col) {
  const char* panel = static_cast<const char*>(w.data) +
                      static_cast<size_t>(row / kTileRows) * panel_bytes(w.dtype, w.cols);
  const char* tile = panel + panel_header_bytes(w.dtype) +
                     static_cast<size_t>(col / kTileCols) * tile_bytes(w.dtype);
  const int64_t r = row % kTileRows;
  const int64_t c = col % kTileCols;
  const auto half_at = [&](int64_t index) {
    return half_to_float(load<uint16_t>(tile + index * 2));
  };
  switch (w.dtype) {
    case DType::kTileQ4:
      return half_at(r) * static_cast<float>(stored(w.dtype, tile + 32, r, c) - 8);
    case DType::kTileQ4M:
      return half_at(r) * static_cast<float>(stored(w.dtype, tile + 64, r, c)) - half_at(16 + r);
    case DType::kTileQ8:
      return half_at(r) * static_cast<float>(stored(w.dtype, tile + 32, r, c));
    case DType::kTileQ8G16:
      return half_at(c / 16 * 16 + r) * static_cast<float>(stored(w.dtype, tile + 64, r, c));
    case DType::kTileI8:
      return load<float>(panel + r * 4) * static_cast<float>(stored(w.dtype, tile, r, c));
    default: {
      const auto raw = load<uint16_t>(tile + ((c / 2) * 16 + r) * 4 + c % 2 * 2);
      return std::bit_cast<float>(static_cast<uint32_t>(raw) << 16);
    }
  }
}

}  // namespace

float weight_at(const MatrixView& w, int64_t row, int64_t col) {
  if (is_tiled(w.dtype)) return tiled_weight(w, row, col);
  const char* at = static_cast<const char*>(w.data) +
                   static_cast<size_t>(row * w.cols + col) * dtype_size(w.dtype);
  if (w.dtype == DType::kF32) return load<float>(at);
  const auto half = load<uint16_t>(at);
  if (w.dtype == DType::kF16) return half_to_float(half);
  return std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
}

void pack_bf16_panels(const MatrixView& w, int64_t first, int64_t last, void* out) {
  const size_t stride = panel_bytes(DType::kTileBF16, w.cols);
  for (int64_t panel = first; panel < last; ++panel) {
    auto* to =
        reinterpret_cast<uint16_t*>(static_cast<char*>(out) + static_cast<size_t>(panel) * stride);
    for (int64_t r = 0; r < kTileRows; ++r) {
      const int64_t row = panel * kTileRows + r;
      uint16_t* at = to + r * 2;
      if (row >= w.rows) {
        for (int64_t c = 0; c < w.cols; ++c) at[c / 2 * 32 + c % 2] = 0;
        continue;
      }
      const char* from = static_cast<const char*>(w.data) +
                         static_cast<size_t>(row * w.cols) * dtype_size(w.dtype);
      for (int64_t c = 0; c < w.cols; ++c) {
        at[c / 2 * 32 + c % 2] = w.dtype == DType::kBF16 ? load<uint16_t>(from + c * 2)
                                                         : round_to_bf16(weight_at(w, row, c));
      }
    }
  }
}

}  // namespace levin::kernels
