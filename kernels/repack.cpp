#include "kernels/repack.h"

#include <cstring>

namespace levin::kernels {
namespace {

// 32 weights of one row on their way into a tile, as stored: q in nibbles from 0, bytes from 128.
struct Strip {
  uint16_t scales[2];  // Columns 0..15 and 16..31; most types have the first alone.
  uint16_t minimum;
  uint8_t q[32];
};

template <typename Block>
Block block_at(const std::byte* row, int64_t index) {
  Block block;
  std::memcpy(&block, row + static_cast<size_t>(index) * sizeof block, sizeof block);
  return block;
}

Strip strip_of(BlockType type, const std::byte* row, int64_t tile) {
  Strip strip{};
  switch (type) {
    case BlockType::kQ4_0: {
      const auto block = block_at<BlockQ4_0>(row, tile);
      strip.scales[0] = block.d;
      for (int j = 0; j < 16; ++j) {
        strip.q[j] = block.q[j] & 15;
        strip.q[16 + j] = block.q[j] >> 4;
      }
      break;
    }
    case BlockType::kQ8_0: {
      const auto block = block_at<BlockQ8_0>(row, tile);
      strip.scales[0] = block.d;
      for (int j = 0; j < 32; ++j) strip.q[j] = static_cast<uint8_t>(block.q[j] + 128);
      break;
    }
    case BlockType::kQ4_K: {
      const auto block = block_at<BlockQ4_K>(row, tile / 8);
      const int group = static_cast<int>(tile % 8);
      const ScaleMin six = q4_k_group(block, group);
      strip.scales[0] = float_to_half(half_to_float(block.d) * static_cast<float>(six.scale));
      strip.minimum = float_to_half(half_to_float(block.dmin) * static_cast<float>(six.minimum));
      const uint8_t* bytes = block.q + group / 2 * 32;
      for (int j = 0; j < 32; ++j) strip.q[j] = group % 2 == 0 ? bytes[j] & 15 : bytes[j] >> 4;
      break;
    }
    case BlockType::kQ6_K: {
      const auto block = block_at<BlockQ6_K>(row, tile / 8);
      const int first = static_cast<int>(tile % 8) * 32;
      for (int half = 0; half < 2; ++half) {
        const auto scale = static_cast<float>(block.scales[first / 16 + half]);
        strip.scales[half] = float_to_half(half_to_float(block.d) * scale);
      }
      for (int j = 0; j < 32; ++j) {
        strip.q[j] = static_cast<uint8_t>(q6_k_value(block, first + j) + 128);
      }
      break;
    }
  }
  return strip;
}

void put_strip(DType dtype, const Strip& strip, int64_t r, char* tile) {
  const auto put_half = [&](int64_t index, uint16_t value) {
    std::memcpy(tile + index * 2, &value, sizeof value);
  };
  put_half(r, strip.scales[0]);
  if (dtype == DType::kTileQ4M) put_half(kTileRows + r, strip.minimum);
  if (dtype == DType::kTileQ8G16) put_half(kTileRows + r, strip.scales[1]);
  const bool is_wide = dtype == DType::kTileQ4M || dtype == DType::kTileQ8G16;
  char* bytes = tile + (is_wide ? 64 : 32);
  if (dtype == DType::kTileQ4 || dtype == DType::kTileQ4M) {
    for (int k = 0; k < 16; ++k) {
      bytes[k / 4 * 64 + r * 4 + k % 4] = static_cast<char>(strip.q[k] | strip.q[16 + k] << 4);
    }
    return;
  }
  for (int k = 0; k < 32; ++k) {
    bytes[k / 4 * 64 + r * 4 + k % 4] = static_cast<char>(strip.q[k]);
  }
}

bool is_finite(uint16_t half) {
  return (half & 0x7C00u) != 0x7C00u;
}

}  // namespace

DType tile_type_of(BlockType type) {
  switch (type) {
    case BlockType::kQ4_0:
      return DType::kTileQ4;
    case BlockType::kQ8_0:
      return DType::kTileQ8;
    case BlockType::kQ4_K:
      return DType::kTileQ4M;
    default:
      return DType::kTileQ8G16;
  }
}

bool repack_panels(BlockType type, const void* blocks, int64_t rows, int64_t cols, int64_t first,
                   int64_t last, void* out) {
  const DType dtype = tile_type_of(type);
  const size_t row_bytes = static_cast<size_t>(cols / block_weights(type)) * block_bytes(type);
  bool all_finite = true;
  for (int64_t panel = first; panel < last; ++panel) {
    char* tile = static_cast<char*>(out) + static_cast<size_t>(panel) * panel_bytes(dtype, cols);
    for (int64_t t = 0; t < cols / kTileCols; ++t, tile += tile_bytes(dtype)) {
      for (int64_t r = 0; r < kTileRows; ++r) {
        const int64_t row = panel * kTileRows + r;
        const auto* at =
            static_cast<const std::byte*>(blocks) + static_cast<size_t>(row) * row_bytes;
        const Strip strip = row < rows ? strip_of(type, at, t) : Strip{};
        all_finite &=
            is_finite(strip.scales[0]) && is_finite(strip.scales[1]) && is_finite(strip.minimum);
        put_strip(dtype, strip, r, tile);
      }
    }
  }
  return all_finite;
}

}  // namespace levin::kernels
