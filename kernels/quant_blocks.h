// Quantised blocks as other engines store them (GGUF): row-major rows of blocks along the columns.
// Here are their layouts and what they mean; the fast kernels read tiles (kernels/tiles.h), into
// which kernels/repack.h brings the blocks. All scales are half precision, little-endian.
//
//   Q4_0   32 weights, 18 bytes: d, 16 bytes. Byte j: weight j in the low nibble, 16 + j in the
//   high.
//          w = d * (q - 8).
//   Q8_0   32 weights, 34 bytes: d, 32 signed bytes. w = d * q.
//   Q4_K   256 weights in 8 groups of 32, 144 bytes: d, dmin, 12 bytes with a 6-bit scale s and a
//          6-bit minimum m of each group, 128 bytes. Bytes 32 k + j: weight j of group 2 k in the
//          low nibble, of group 2 k + 1 in the high. w = d * s * q - dmin * m.
//   Q6_K   256 weights in 16 groups of 16, 210 bytes: 128 bytes of low nibbles, 64 bytes of high
//          pairs of bits, 16 signed scales s, d. w = d * s * (q - 32).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace levin::kernels {

enum class BlockType : uint8_t { kQ4_0, kQ8_0, kQ4_K, kQ6_K };

struct BlockQ4_0 {
  uint16_t d;
  uint8_t q[16];
};
struct BlockQ8_0 {
  uint16_t d;
  int8_t q[32];
};
struct BlockQ4_K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t q[128];
};
struct BlockQ6_K {
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ4_0) == 18);
static_assert(sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ6_K) == 210);

constexpr int64_t block_weights(BlockType type) {
  return type == BlockType::kQ4_0 || type == BlockType::kQ8_0 ? 32 : 256;
}

constexpr size_t block_bytes(BlockType type) {
  switch (type) {
    case BlockType::kQ4_0:
      return sizeof(BlockQ4_0);
    case BlockType::kQ8_0:
      return sizeof(BlockQ8_0);
    case BlockType::kQ4_K:
      return sizeof(BlockQ4_K);
    default:
      return sizeof(BlockQ6_K);
  }
}

// Half precision <-> float32; rounds to the nearest, ties to even, overflow to infinity.
constexpr float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u;
  const uint32_t mantissa = half & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  }
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}
uint16_t float_to_half(float value);

// 6-bit scale and minimum of group 0..7 of a Q4_K block.
struct ScaleMin {
  uint8_t scale;
  uint8_t minimum;
};
ScaleMin q4_k_group(const BlockQ4_K& block, int group);
// q - 32 of weight 0..255 of a Q6_K block.
int q6_k_value(const BlockQ6_K& block, int index);

// The numbers that `num_blocks` blocks stand for, as float32 (plain reference, in the order of the
// formulas above). `blocks` may lie at any address.
void dequantise(BlockType type, const void* blocks, int64_t num_blocks, float* out);

// Of a tensor type's name ("Q4_0" ...); false for other names.
bool parse_block_type(std::string_view name, BlockType* type);

// Index of the first block with a scale that is infinite or not a number, or -1.
int64_t find_bad_block(BlockType type, const void* blocks, int64_t num_blocks);

}  // namespace levin::kernels
