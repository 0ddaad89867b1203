// The loops behind kernels/peaks.h, for the instruction set that this file is compiled for. Twelve
// independent sums hide the latency of four cycles at two instructions each.
#pragma once

#include "kernels/cpu/tile_vec.h"

namespace levin::kernels {
namespace {

constexpr int kSums = 12;
constexpr int kRepeats = 8;  // Of all sums in one round.

// Keeps a result alive without storing it.
template <typename T>
inline void keep(const T& value) {
  asm volatile("" : : "m"(value) : "memory");
}

inline double peak_fma(int64_t rounds) {
  Floats sums[kSums];
  for (Floats& sum : sums) sum = splat_floats(1.0f);
  Floats factor = splat_floats(0.999f);
  for (int64_t i = 0; i < rounds; ++i) {
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      for (Floats& sum : sums) sum = multiply_add(sum, factor, factor);
    }
  }
  for (const Floats& sum : sums) keep(sum);
  return static_cast<double>(rounds) * kRepeats * kSums * 16 * 2;
}

inline double peak_bf16(int64_t rounds) {
  Floats sums[kSums];
  for (Floats& sum : sums) sum = splat_floats(0.0f);
  const Ints pair = splat_int(0x3F803F80);
  const uint8_t ones[64] = {0x80, 0x3F};
  const Bytes weights = load_bytes(ones);
  for (int64_t i = 0; i < rounds; ++i) {
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      for (Floats& sum : sums) sum = dot_bf16(sum, weights, pair);
    }
  }
  for (const Floats& sum : sums) keep(sum);
  return static_cast<double>(rounds) * kRepeats * kSums * 32 * 2;
}

inline double peak_int8(int64_t rounds) {
  Ints sums[kSums];
  for (Ints& sum : sums) sum = splat_int(0);
  const Ints activations = splat_int(0x01010101);
  const uint8_t ones[64] = {1, 2, 3};
  const Bytes weights = load_bytes(ones);
  for (int64_t i = 0; i < rounds; ++i) {
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      for (Ints& sum : sums) sum = dot_nibbles(sum, weights, activations);
    }
  }
  for (const Ints& sum : sums) keep(sum);
  return static_cast<double>(rounds) * kRepeats * kSums * 64 * 2;
}

}  // namespace
}  // namespace levin::kernels
