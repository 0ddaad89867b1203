// Sixteen lanes, one per row of a tile, in AVX-512 with VNNI and BF16: what tile_matmul_impl.h is
// written against. tile_vec_avx2.h and tile_vec_plain.h offer the same names.
#pragma once

#if defined(__AVX512VNNI__) && defined(__AVX512BF16__)
#include <immintrin.h>
#include <stdint.h>

namespace levin::kernels {
namespace {

using Ints = __m512i;   // 16 int32
using Floats = __m512;  // 16 float32
using Bytes = __m512i;  // 16 x 4 bytes

constexpr int kGemmPanels = 4;  // 4 x 6 sums + 4 weights + 1 activation of 32 registers
constexpr int kGemmTokens = 6;
constexpr bool kBytesAreUnsigned =
    true;  // q + 128 is multiplied as stored; the bias takes 128 off.

inline Bytes load_bytes(const void* from) {
  return _mm512_loadu_si512(from);
}
inline Bytes low_nibbles(Bytes packed) {
  return _mm512_and_si512(packed, _mm512_set1_epi8(0x0F));
}
inline Bytes high_nibbles(Bytes packed) {
  return _mm512_and_si512(_mm512_srli_epi16(packed, 4), _mm512_set1_epi8(0x0F));
}
inline Ints splat_int(int32_t value) {
  return _mm512_set1_epi32(value);
}
inline Ints add_ints(Ints a, Ints b) {
  return _mm512_add_epi32(a, b);
}
// sum + four products a lane. Weights are unsigned bytes, the four activations signed ones.
inline Ints dot_nibbles(Ints sum, Bytes weights, Ints activations) {
  return _mm512_dpbusd_epi32(sum, weights, activations);
}
inline Ints dot_bytes(Ints sum, Bytes weights, Ints activations) {
  return _mm512_dpbusd_epi32(sum, weights, activations);
}
inline Floats to_float(Ints value) {
  return _mm512_cvtepi32_ps(value);
}
inline Floats splat_floats(float value) {
  return _mm512_set1_ps(value);
}
inline Floats load_floats(const float* from) {
  return _mm512_loadu_ps(from);
}
inline void store_floats(float* to, Floats value) {
  _mm512_storeu_ps(to, value);
}
inline Floats load_halves(const void* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(from)));
}
inline Floats multiply(Floats a, Floats b) {
  return _mm512_mul_ps(a, b);
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return _mm512_fmadd_ps(a, b, c);
}
// c - a * b
inline Floats subtract_product(Floats a, Floats b, Floats c) {
  return _mm512_fnmadd_ps(a, b, c);
}
// sum + two bfloat16 products a lane.
inline Floats dot_bf16(Floats sum, Bytes weights, Ints activations) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(weights),
                          reinterpret_cast<__m512bh>(activations));
}

}  // namespace
}  // namespace levin::kernels
#endif
