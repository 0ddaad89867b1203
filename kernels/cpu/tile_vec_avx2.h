// Sixteen lanes in two AVX2 registers (with FMA and F16C); see tile_vec_avx512.h.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#include <stdint.h>

namespace levin::kernels {
namespace {

struct Ints {
  __m256i low, high;
};
struct Floats {
  __m256 low, high;
};
using Bytes = Ints;

constexpr int kGemmPanels = 1;  // 3 x 2 sums, 2 weights and temporaries of 16 registers
constexpr int kGemmTokens = 3;
// vpmaddubsw saturates at 16 bits, which unsigned bytes up to 255 would reach: weights are made
// signed again and their sign moved to the activation, so no bias is needed.
constexpr bool kBytesAreUnsigned = false;

inline Bytes load_bytes(const void* from) {
  const __m256i* at = static_cast<const __m256i*>(from);
  return {_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}
inline Bytes low_nibbles(Bytes packed) {
  const __m256i mask = _mm256_set1_epi8(0x0F);
  return {_mm256_and_si256(packed.low, mask), _mm256_and_si256(packed.high, mask)};
}
inline Bytes high_nibbles(Bytes packed) {
  const __m256i mask = _mm256_set1_epi8(0x0F);
  return {_mm256_and_si256(_mm256_srli_epi16(packed.low, 4), mask),
          _mm256_and_si256(_mm256_srli_epi16(packed.high, 4), mask)};
}
inline Ints splat_int(int32_t value) {
  const __m256i v = _mm256_set1_epi32(value);
  return {v, v};
}
inline Ints add_ints(Ints a, Ints b) {
  return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
inline __m256i dot_half(__m256i sum, __m256i unsigned_bytes, __m256i signed_bytes) {
  const __m256i pairs = _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
inline __m256i dot_signed_half(__m256i sum, __m256i biased, __m256i activations) {
  const __m256i weights = _mm256_xor_si256(biased, _mm256_set1_epi8(static_cast<char>(0x80)));
  return dot_half(sum, _mm256_abs_epi8(weights), _mm256_sign_epi8(activations, weights));
}
inline Ints dot_nibbles(Ints sum, Bytes weights, Ints activations) {
  return {dot_half(sum.low, weights.low, activations.low),
          dot_half(sum.high, weights.high, activations.high)};
}
inline Ints dot_bytes(Ints sum, Bytes weights, Ints activations) {
  return {dot_signed_half(sum.low, weights.low, activations.low),
          dot_signed_half(sum.high, weights.high, activations.high)};
}
inline Floats to_float(Ints value) {
  return {_mm256_cvtepi32_ps(value.low), _mm256_cvtepi32_ps(value.high)};
}
inline Floats splat_floats(float value) {
  const __m256 v = _mm256_set1_ps(value);
  return {v, v};
}
inline Floats load_floats(const float* from) {
  return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}
inline void store_floats(float* to, Floats value) {
  _mm256_storeu_ps(to, value.low);
  _mm256_storeu_ps(to + 8, value.high);
}
inline Floats load_halves(const void* from) {
  const __m128i* at = static_cast<const __m128i*>(from);
  return {_mm256_cvtph_ps(_mm_loadu_si128(at)), _mm256_cvtph_ps(_mm_loadu_si128(at + 1))};
}
inline Floats multiply(Floats a, Floats b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline Floats subtract_product(Floats a, Floats b, Floats c) {
  return {_mm256_fnmadd_ps(a.low, b.low, c.low), _mm256_fnmadd_ps(a.high, b.high, c.high)};
}
inline __m256 dot_bf16_half(__m256 sum, __m256i weights, __m256i activations) {
  const __m256i top = _mm256_set1_epi32(static_cast<int32_t>(0xFFFF0000));
  const __m256 even = _mm256_mul_ps(_mm256_castsi256_ps(_mm256_slli_epi32(weights, 16)),
                                    _mm256_castsi256_ps(_mm256_slli_epi32(activations, 16)));
  return _mm256_add_ps(
      sum, _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_and_si256(weights, top)),
                           _mm256_castsi256_ps(_mm256_and_si256(activations, top)), even));
}
inline Floats dot_bf16(Floats sum, Bytes weights, Ints activations) {
  return {dot_bf16_half(sum.low, weights.low, activations.low),
          dot_bf16_half(sum.high, weights.high, activations.high)};
}

}  // namespace
}  // namespace levin::kernels
#endif
