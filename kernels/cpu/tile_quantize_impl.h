// Activations for the tile kernels: int8 in groups of 32, or bfloat16. Every instruction set makes
// the same bits: each step is one rounding that IEEE arithmetic defines.
#pragma once

#include "kernels/cpu/vec.h"
#include "kernels/tiles.h"

namespace levin::kernels {
namespace {

inline int32_t max_lanes(IntVec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_epi32(bits<__m512i>(v));
#endif
  int32_t lanes[kLanes];
  __builtin_memcpy(lanes, &v, sizeof lanes);
  int32_t largest = lanes[0];
  for (const int32_t lane : lanes) largest = lane > largest ? lane : largest;
  return largest;
}

inline int32_t sum_lanes(IntVec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_epi32(bits<__m512i>(v));
#endif
  int32_t lanes[kLanes];
  __builtin_memcpy(lanes, &v, sizeof lanes);
  int32_t sum = 0;
  for (const int32_t lane : lanes) sum += lane;
  return sum;
}

inline void store_low_bytes(int8_t* to, IntVec v) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(bits<__m512i>(v)));
  return;
#endif
  for (int lane = 0; lane < kLanes; ++lane) to[lane] = static_cast<int8_t>(v[lane]);
}

// A NaN or an infinity makes the scale NaN, and with it every output: it is not lost in a cast.
inline void quantize_group(const float* x, QuantGroup* out) {
  // Without their sign, floats are in the order of their bits; what is not finite comes last.
  constexpr int32_t kInfinity = 0x7F800000;
  IntVec largest{};
  for (int i = 0; i < 32; i += kLanes) {
    const IntVec magnitude = bits<IntVec>(load(x + i)) & 0x7FFFFFFF;
    largest = magnitude > largest ? magnitude : largest;
  }
  const int32_t peak_bits = max_lanes(largest);
  const float peak = bits<float>(peak_bits < kInfinity ? peak_bits : kInfinity + 1);
  const float inverse = peak > 0 ? 127.0f / peak : 0.0f;
  // Adding 1.5 * 2^23 rounds to the nearest whole number, ties to even, and leaves it in the low
  // bits.
  constexpr float kRounder = 12582912.0f;
  IntVec half[2] = {};
  for (int i = 0; i < 32; i += kLanes) {
    // The low byte alone: of what is not finite the rest is large, and sums of it would overflow.
    const IntVec q = ((bits<IntVec>(load(x + i) * inverse + kRounder) - 0x4B400000) << 24) >> 24;
    half[i / 16] += q;
    store_low_bytes(out->q + i, q);
  }
  const int32_t sums[2] = {sum_lanes(half[0]), sum_lanes(half[1])};
  const int32_t sum = sums[0] + sums[1];
  out->scale = peak / 127.0f;
  out->scaled_sum = out->scale * static_cast<float>(sum);
  out->bias_q4 = -8 * sum;
  out->bias_q8 = -128 * sum;
  out->bias_half[0] = -128 * sums[0];
  out->bias_half[1] = -128 * sums[1];
}

inline void op_quantize_rows(const Parallel& parallel, const float* x, int64_t n, int64_t cols,
                             QuantGroup* out) {
  parallel_for(parallel, n * cols / kTileCols, 512, [=](int64_t begin, int64_t end, int) {
    for (int64_t g = begin; g < end; ++g) quantize_group(x + g * kTileCols, out + g);
  });
}

inline uint16_t round_bf16(float value) {
  const uint32_t raw = bits<uint32_t>(value);
  if ((raw & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(raw >> 16 | 0x40u);  // NaN
  return static_cast<uint16_t>((raw + 0x7FFFu + (raw >> 16 & 1u)) >> 16);
}

inline void op_round_rows(const Parallel& parallel, const float* x, int64_t count, uint16_t* out) {
  parallel_for(parallel, count, 1 << 14, [=](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) out[i] = round_bf16(x[i]);
  });
}

}  // namespace
}  // namespace levin::kernels
