#include "kernels/quant_blocks.h"

#include <cmath>
#include <cstring>
#include <utility>

namespace levin::kernels {
namespace {

void dequantise(const BlockQ4_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>((block.q[j] & 15) - 8);
    out[16 + j] = d * static_cast<float>((block.q[j] >> 4) - 8);
  }
}

void dequantise(const BlockQ8_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int j = 0; j < 32; ++j) out[j] = d * static_cast<float>(block.q[j]);
}

void dequantise(const BlockQ4_K& block, float* out) {
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int group = 0; group < 8; ++group) {
    const ScaleMin six = q4_k_group(block, group);
    const float scale = d * static_cast<float>(six.scale);
    const float minimum = dmin * static_cast<float>(six.minimum);
    const uint8_t* bytes = block.q + group / 2 * 32;
    for (int j = 0; j < 32; ++j) {
      const int q = group % 2 == 0 ? bytes[j] & 15 : bytes[j] >> 4;
      out[group * 32 + j] = scale * static_cast<float>(q) - minimum;
    }
  }
}

void dequantise(const BlockQ6_K& block, float* out) {
  const float d = half_to_float(block.d);
  for (int i = 0; i < 256; ++i) {
    out[i] =
        d * static_cast<float>(block.scales[i / 16]) * static_cast<float>(q6_k_value(block, i));
  }
}

// Blocks are copied out, one by one: those of a file lie at any address.
template <typename Block>
void dequantise_all(const void* blocks, int64_t num_blocks, int64_t weights, float* out) {
  const auto* bytes = static_cast<const std::byte*>(blocks);
  for (int64_t i = 0; i < num_blocks; ++i) {
    Block block;
    std::memcpy(&block, bytes + static_cast<size_t>(i) * sizeof block, sizeof block);
    dequantise(block, out + i * weights);
  }
}

bool is_finite(uint16_t half) {
  return (half & 0x7C00u) != 0x7C00u;
}

}  // namespace

uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7C00u);  // >= 65536
  if (magnitude < 0x38800000u) {
    // Below 2^-14: a multiple of 2^-24. Adding 0.5 makes the float unit round to such a multiple.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude + 0xFFFu + odd - 0x38000000u) >> 13));
}

ScaleMin q4_k_group(const BlockQ4_K& block, int group) {
  const uint8_t* s = block.scales;
  if (group < 4) {
    return {static_cast<uint8_t>(s[group] & 63), static_cast<uint8_t>(s[group + 4] & 63)};
  }
  return {static_cast<uint8_t>((s[group + 4] & 15) | (s[group - 4] >> 6 << 4)),
          static_cast<uint8_t>((s[group + 4] >> 4) | (s[group] >> 6 << 4))};
}

int q6_k_value(const BlockQ6_K& block, int index) {
  // Each half of 128 weights is four runs of 32: low nibbles of 32 + 32 bytes, then their high
  // nibbles; the two upper bits of the four runs lie in one byte.
  const int half = index / 128;
  const int run = index % 128 / 32;
  const int j = index % 32;
  const uint8_t byte = block.low[half * 64 + run % 2 * 32 + j];
  const int low = run < 2 ? byte & 15 : byte >> 4;
  const int high = (block.high[half * 32 + j] >> (2 * run)) & 3;
  return (low | high << 4) - 32;
}

void dequantise(BlockType type, const void* blocks, int64_t num_blocks, float* out) {
  switch (type) {
    case BlockType::kQ4_0:
      return dequantise_all<BlockQ4_0>(blocks, num_blocks, 32, out);
    case BlockType::kQ8_0:
      return dequantise_all<BlockQ8_0>(blocks, num_blocks, 32, out);
    case BlockType::kQ4_K:
      return dequantise_all<BlockQ4_K>(blocks, num_blocks, 256, out);
    case BlockType::kQ6_K:
      return dequantise_all<BlockQ6_K>(blocks, num_blocks, 256, out);
  }
}

bool parse_block_type(std::string_view name, BlockType* type) {
  constexpr std::pair<std::string_view, BlockType> kNames[] = {{"Q4_0", BlockType::kQ4_0},
                                                               {"Q8_0", BlockType::kQ8_0},
                                                               {"Q4_K", BlockType::kQ4_K},
                                                               {"Q6_K", BlockType::kQ6_K}};
  for (const auto& [known, value] : kNames) {
    if (name != known) continue;
    *type = value;
    return true;
  }
  return false;
}

int64_t find_bad_block(BlockType type, const void* blocks, int64_t num_blocks) {
  const auto* bytes = static_cast<const std::byte*>(blocks);
  const size_t size = block_bytes(type);
  for (int64_t i = 0; i < num_blocks; ++i, bytes += size) {
    uint16_t halves[2] = {0, 0};
    if (type == BlockType::kQ6_K) {
      std::memcpy(halves, bytes + offsetof(BlockQ6_K, d), 2);
    } else {
      std::memcpy(halves, bytes, type == BlockType::kQ4_K ? 4 : 2);
    }
    if (!is_finite(halves[0]) || !is_finite(halves[1])) return i;
  }
  return -1;
}

}  // namespace levin::kernels
