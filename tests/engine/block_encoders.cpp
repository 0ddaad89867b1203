#include "tests/engine/block_encoders.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/kv_layout.h"
#include "kernels/quant_blocks.h"
#include "tests/engine/gguf_writer.h"

namespace levin::engine {
namespace {

using kernels::float_to_half;
using kernels::half_to_float;

float largest(const float* values, int count) {
  float result = 0;
  for (int i = 0; i < count; ++i) result = std::max(result, std::fabs(values[i]));
  return result;
}

int rounded(float value, int least, int most) {
  return std::clamp(static_cast<int>(std::lround(value)), least, most);
}

template <typename Block>
std::string encode(const std::vector<float>& values, size_t weights,
                   void (*encode_block)(const float*, Block*)) {
  std::string bytes;
  for (size_t i = 0; i < values.size(); i += weights) {
    Block block{};
    encode_block(values.data() + i, &block);
    bytes.append(reinterpret_cast<const char*>(&block), sizeof block);
  }
  return bytes;
}

void block_q4_0(const float* x, kernels::BlockQ4_0* block) {
  block->d = float_to_half(largest(x, 32) / 7);
  const float d = half_to_float(block->d);
  for (int j = 0; j < 16; ++j) {
    const int low = d == 0 ? 8 : rounded(x[j] / d, -8, 7) + 8;
    const int high = d == 0 ? 8 : rounded(x[16 + j] / d, -8, 7) + 8;
    block->q[j] = static_cast<uint8_t>(low | high << 4);
  }
}

void block_q8_0(const float* x, kernels::BlockQ8_0* block) {
  block->d = float_to_half(largest(x, 32) / 127);
  const float d = half_to_float(block->d);
  for (int j = 0; j < 32; ++j) {
    block->q[j] = static_cast<int8_t>(d == 0 ? 0 : rounded(x[j] / d, -127, 127));
  }
}

// 6-bit scale and minimum of each group, packed as the format wants them.
void pack_scales(const int* scales, const int* minima, uint8_t* bytes) {
  for (int g = 0; g < 4; ++g) {
    bytes[g] = static_cast<uint8_t>(scales[g] | scales[g + 4] >> 4 << 6);
    bytes[g + 4] = static_cast<uint8_t>(minima[g] | minima[g + 4] >> 4 << 6);
    bytes[g + 8] = static_cast<uint8_t>((scales[g + 4] & 15) | (minima[g + 4] & 15) << 4);
  }
}

void block_q4_k(const float* x, kernels::BlockQ4_K* block) {
  float spans[8];
  float lows[8];
  for (int g = 0; g < 8; ++g) {
    const auto [low, high] = std::minmax_element(x + g * 32, x + g * 32 + 32);
    lows[g] = std::max(0.0f, -*low);
    spans[g] = (std::max(*high, 0.0f) + lows[g]) / 15;
  }
  block->d = float_to_half(largest(spans, 8) / 63);
  block->dmin = float_to_half(largest(lows, 8) / 63);
  const float d = half_to_float(block->d);
  const float dmin = half_to_float(block->dmin);
  int scales[8];
  int minima[8];
  for (int g = 0; g < 8; ++g) {
    scales[g] = d == 0 ? 0 : rounded(spans[g] / d, 0, 63);
    minima[g] = dmin == 0 ? 0 : rounded(lows[g] / dmin, 0, 63);
  }
  pack_scales(scales, minima, block->scales);
  for (int i = 0; i < 256; ++i) {
    const int g = i / 32;
    const float scale = d * static_cast<float>(scales[g]);
    const float minimum = dmin * static_cast<float>(minima[g]);
    const int q = scale == 0 ? 0 : rounded((x[i] + minimum) / scale, 0, 15);
    block->q[g / 2 * 32 + i % 32] |= static_cast<uint8_t>(q << (g % 2 * 4));
  }
}

void block_q6_k(const float* x, kernels::BlockQ6_K* block) {
  float steps[16];
  for (int g = 0; g < 16; ++g) steps[g] = largest(x + g * 16, 16) / 31;
  block->d = float_to_half(largest(steps, 16) / 127);
  const float d = half_to_float(block->d);
  for (int g = 0; g < 16; ++g) {
    block->scales[g] = static_cast<int8_t>(d == 0 ? 0 : rounded(steps[g] / d, 0, 127));
  }
  for (int i = 0; i < 256; ++i) {
    const float scale = d * static_cast<float>(block->scales[i / 16]);
    const int q = (scale == 0 ? 0 : rounded(x[i] / scale, -32, 31)) + 32;
    const int half = i / 128;
    const int run = i % 128 / 32;
    const int j = i % 32;
    block->low[half * 64 + run % 2 * 32 + j] |= static_cast<uint8_t>((q & 15) << (run / 2 * 4));
    block->high[half * 32 + j] |= static_cast<uint8_t>(q >> 4 << (2 * run));
  }
}

}  // namespace

std::string encode_q4_0(const std::vector<float>& values) {
  return encode<kernels::BlockQ4_0>(values, 32, block_q4_0);
}
std::string encode_q8_0(const std::vector<float>& values) {
  return encode<kernels::BlockQ8_0>(values, 32, block_q8_0);
}
std::string encode_q4_k(const std::vector<float>& values) {
  return encode<kernels::BlockQ4_K>(values, 256, block_q4_k);
}
std::string encode_q6_k(const std::vector<float>& values) {
  return encode<kernels::BlockQ6_K>(values, 256, block_q6_k);
}

std::string encode_tensor(const std::string& dtype, const std::vector<float>& values) {
  if (dtype == "BF16_widened") {
    std::vector<float> rounded = values;
    for (float& value : rounded) value = kernels::from_bf16(kernels::to_bf16(value));
    return encode_tensor("F32", rounded);
  }
  if (dtype == "Q4_0") return encode_q4_0(values);
  if (dtype == "Q8_0") return encode_q8_0(values);
  if (dtype == "Q4_K") return encode_q4_k(values);
  if (dtype == "Q6_K") return encode_q6_k(values);
  std::string bytes;
  for (const float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const auto bf16 = static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
    const uint16_t half = dtype == "F16" ? float_to_half(value) : bf16;
    if (dtype == "F32") {
      bytes.append(reinterpret_cast<const char*>(&bits), 4);
    } else {
      bytes.append(reinterpret_cast<const char*>(&half), 2);
    }
  }
  return bytes;
}

}  // namespace levin::engine
