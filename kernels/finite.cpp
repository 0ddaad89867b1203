#include "kernels/finite.h"

#include <algorithm>
#include <cstring>

namespace levin::kernels {
namespace {

// A number whose exponent bits are all set is infinite or none. Copied in small pieces, which gives
// aligned integers that the compiler takes many at a time.
template <typename T, T kExponent>
int64_t find(const char* numbers, int64_t count) {
  constexpr int64_t kPiece = 1024;
  T piece[kPiece];
  for (int64_t first = 0; first < count; first += kPiece) {
    const int64_t size = std::min(kPiece, count - first);
    std::memcpy(piece, numbers + static_cast<size_t>(first) * sizeof(T),
                static_cast<size_t>(size) * sizeof(T));
    T bad = 0;
    for (int64_t i = 0; i < size; ++i) {
      bad = static_cast<T>(bad | static_cast<T>((piece[i] & kExponent) == kExponent));
    }
    if (bad == 0) continue;
    const auto* at =
        std::find_if(piece, piece + size, [](T one) { return (one & kExponent) == kExponent; });
    return first + (at - piece);
  }
  return -1;
}

}  // namespace

int64_t find_not_finite(DType dtype, const void* numbers, int64_t count) {
  const char* at = static_cast<const char*>(numbers);
  if (dtype == DType::kF32) return find<uint32_t, 0x7F800000u>(at, count);
  if (dtype == DType::kF16) return find<uint16_t, 0x7C00u>(at, count);
  return find<uint16_t, 0x7F80u>(at, count);
}

bool panels_are_finite(DType dtype, int64_t cols, const void* tiles, int64_t first, int64_t last) {
  const size_t stride = panel_bytes(dtype, cols);
  const char* panel = static_cast<const char*>(tiles) + static_cast<size_t>(first) * stride;
  if (dtype == DType::kTileBF16) {
    return find_not_finite(DType::kBF16, panel, (last - first) * kTileRows * cols) < 0;
  }
  const int64_t num_halves =
      dtype == DType::kTileQ4M || dtype == DType::kTileQ8G16 ? 2 * kTileRows : kTileRows;
  for (int64_t index = first; index < last; ++index, panel += stride) {
    if (dtype == DType::kTileI8) {
      if (find_not_finite(DType::kF32, panel, kTileRows) >= 0) return false;
      continue;
    }
    for (int64_t tile = 0; tile < cols / kTileCols; ++tile) {
      const char* scales = panel + static_cast<size_t>(tile) * tile_bytes(dtype);
      if (find_not_finite(DType::kF16, scales, num_halves) >= 0) return false;
    }
  }
  return true;
}

}  // namespace levin::kernels
