// Sixteen lanes in plain loops, for CPUs without the wide instruction sets; see tile_vec_avx512.h.
#pragma once

#include <stdint.h>
#include <string.h>

#include "kernels/cpu/vec.h"

namespace levin::kernels {
namespace {

struct Ints {
  int32_t lane[16];
};
struct Floats {
  float lane[16];
};
struct Bytes {
  uint8_t byte[64];
};

constexpr int kGemmPanels = 1;
constexpr int kGemmTokens = 2;
constexpr bool kBytesAreUnsigned = true;

inline Bytes load_bytes(const void* from) {
  Bytes value;
  memcpy(value.byte, from, sizeof value.byte);
  return value;
}
inline Bytes low_nibbles(Bytes packed) {
  for (uint8_t& byte : packed.byte) byte &= 0x0F;
  return packed;
}
inline Bytes high_nibbles(Bytes packed) {
  for (uint8_t& byte : packed.byte) byte = static_cast<uint8_t>(byte >> 4);
  return packed;
}
inline Ints splat_int(int32_t value) {
  Ints all;
  for (int32_t& lane : all.lane) lane = value;
  return all;
}
inline Ints add_ints(Ints a, const Ints& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] += b.lane[i];
  return a;
}
inline Ints dot_nibbles(Ints sum, const Bytes& weights, const Ints& activations) {
  int8_t x[4];
  memcpy(x, &activations.lane[0], sizeof x);
  for (int lane = 0; lane < 16; ++lane) {
    for (int j = 0; j < 4; ++j) sum.lane[lane] += weights.byte[lane * 4 + j] * x[j];
  }
  return sum;
}
inline Ints dot_bytes(const Ints& sum, const Bytes& weights, const Ints& activations) {
  return dot_nibbles(sum, weights, activations);
}
inline Floats to_float(const Ints& value) {
  Floats out;
  for (int i = 0; i < 16; ++i) out.lane[i] = static_cast<float>(value.lane[i]);
  return out;
}
inline Floats load_floats(const float* from) {
  Floats out;
  memcpy(out.lane, from, sizeof out.lane);
  return out;
}
inline void store_floats(float* to, const Floats& value) {
  memcpy(to, value.lane, sizeof value.lane);
}
inline Floats splat_floats(float value) {
  Floats out;
  for (float& lane : out.lane) lane = value;
  return out;
}
inline Floats load_halves(const void* from) {
  Floats out;
  for (int i = 0; i < 16; ++i) out.lane[i] = ReadF16::one(static_cast<const char*>(from) + i * 2);
  return out;
}
inline Floats multiply(Floats a, const Floats& b) {
  for (int i = 0; i < 16; ++i) a.lane[i] *= b.lane[i];
  return a;
}
inline Floats multiply_add(const Floats& a, const Floats& b, Floats c) {
  for (int i = 0; i < 16; ++i) c.lane[i] += a.lane[i] * b.lane[i];
  return c;
}
inline Floats subtract_product(const Floats& a, const Floats& b, Floats c) {
  for (int i = 0; i < 16; ++i) c.lane[i] -= a.lane[i] * b.lane[i];
  return c;
}
inline float bf16_part(uint32_t pair, bool high) {
  return bits<float>(high ? pair & 0xFFFF0000u : pair << 16);
}
inline Floats dot_bf16(Floats sum, const Bytes& weights, const Ints& activations) {
  const uint32_t x = static_cast<uint32_t>(activations.lane[0]);
  for (int lane = 0; lane < 16; ++lane) {
    uint32_t w;
    memcpy(&w, weights.byte + lane * 4, sizeof w);
    sum.lane[lane] +=
        bf16_part(w, false) * bf16_part(x, false) + bf16_part(w, true) * bf16_part(x, true);
  }
  return sum;
}

}  // namespace
}  // namespace levin::kernels
