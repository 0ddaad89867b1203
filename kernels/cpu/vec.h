// A small float vector, as wide as the instruction set this file is compiled for (GCC vector
// extensions, so that one source serves all). Everything is in an unnamed namespace: each
// ops_<isa>.cpp gets its own copy, and the linker cannot mix them. PODs and C headers only.
#pragma once

#include <math.h>
#include <stdint.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernels/ops.h"

namespace levin::kernels {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int32_t IntVec __attribute__((vector_size(kLanes * 4)));
typedef uint32_t UintVec __attribute__((vector_size(kLanes * 4)));
typedef uint16_t HalfVec __attribute__((vector_size(kLanes * 2)));
typedef float LooseVec __attribute__((vector_size(kLanes * 4), aligned(1), may_alias));
typedef uint16_t LooseHalfVec __attribute__((vector_size(kLanes * 2), aligned(1), may_alias));
typedef float LooseFloat __attribute__((aligned(1), may_alias));
typedef uint16_t LooseHalf __attribute__((aligned(1), may_alias));

inline Vec splat(float value) {
  return value - Vec{};
}
inline Vec load(const float* from) {
  return *reinterpret_cast<const LooseVec*>(from);
}
inline void store(float* to, Vec value) {
  *reinterpret_cast<LooseVec*>(to) = value;
}

// a * b + c, fused where the CPU can. The compiler fuses by itself, but not in every place: two loops
// that must give the same bits call this.
inline Vec fused_add(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_fmadd_ps(reinterpret_cast<__m512>(a),
                                               reinterpret_cast<__m512>(b),
                                               reinterpret_cast<__m512>(c)));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_fmadd_ps(reinterpret_cast<__m256>(a),
                                               reinterpret_cast<__m256>(b),
                                               reinterpret_cast<__m256>(c)));
#else
  return a * b + c;
#endif
}

template <typename To, typename From>
inline To bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "a bit cast keeps the size");
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

// Sum of all lanes, halves first.
inline float sum_lanes(Vec v) {
  float lanes[kLanes];
  __builtin_memcpy(lanes, &v, sizeof lanes);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// How one stored weight type is read, kLanes at a time and singly, widened to float32.
struct ReadF32 {
  static constexpr int64_t kBytes = 4;
  static Vec vec(const char* at) { return *reinterpret_cast<const LooseVec*>(at); }
  static float one(const char* at) { return *reinterpret_cast<const LooseFloat*>(at); }
};

struct ReadBF16 {
  static constexpr int64_t kBytes = 2;
  static Vec vec(const char* at) {
    const HalfVec raw = *reinterpret_cast<const LooseHalfVec*>(at);
    return bits<Vec>(__builtin_convertvector(raw, UintVec) << 16);
  }
  static float one(const char* at) {
    return bits<float>(static_cast<uint32_t>(*reinterpret_cast<const LooseHalf*>(at)) << 16);
  }
};

// Half precision by integer steps: exponent and mantissa moved into place, then rescaled by 2^112,
// which also makes subnormals right; infinities and NaN keep the top exponent.
struct ReadF16 {
  static constexpr int64_t kBytes = 2;
  static Vec vec(const char* at) {
    const HalfVec raw = *reinterpret_cast<const LooseHalfVec*>(at);
    const UintVec half = __builtin_convertvector(raw, UintVec);
    const Vec magnitude = bits<Vec>((half & 0x7fffu) << 13) * 0x1p112f;
    const UintVec special = bits<UintVec>((half & 0x7c00u) == 0x7c00u) & 0x7f800000u;
    return bits<Vec>(bits<UintVec>(magnitude) | special | ((half & 0x8000u) << 16));
  }
  static float one(const char* at) {
    const uint32_t half = *reinterpret_cast<const LooseHalf*>(at);
    const float magnitude = bits<float>((half & 0x7fffu) << 13) * 0x1p112f;
    const uint32_t special = (half & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0u;
    return bits<float>(bits<uint32_t>(magnitude) | special | ((half & 0x8000u) << 16));
  }
};

// e^x, about 1e-7 relative. Below -87 the result stays at 1e-38, above 88 at 1e38: never 0,
// infinity or a trap. Method: x = n ln2 + r, |r| <= ln2 / 2, Taylor to r^7, then n into the
// exponent bits.
inline Vec exp_vec(Vec x) {
  const Vec low = splat(-87.0f);
  const Vec high = splat(88.0f);
  x = x < low ? low : x;
  x = x > high ? high : x;
  const Vec rounder = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number.
  const Vec n = (x * 1.44269504089f + rounder) - rounder;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = splat(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const IntVec exponent = (__builtin_convertvector(n, IntVec) + 127) << 23;
  return p * bits<Vec>(exponent);
}

inline Vec sigmoid_vec(Vec x) {
  return 1.0f / (1.0f + exp_vec(-x));
}

// f(x) on the last count % kLanes elements, by a padded vector, so that one formula serves all.
template <typename F>
inline void map_in_place(float* x, int64_t count, const F& f) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(x + i, f(load(x + i), i));
  if (i < count) {
    float padded[kLanes] = {};
    for (int64_t j = i; j < count; ++j) padded[j - i] = x[j];
    store(padded, f(load(padded), i));
    for (int64_t j = i; j < count; ++j) x[j] = padded[j - i];
  }
}

// Up to kLanes elements, the missing ones 0.
inline Vec load_part(const float* from, int64_t count) {
  if (count >= kLanes) return load(from);
  float padded[kLanes] = {};
  for (int64_t j = 0; j < count; ++j) padded[j] = from[j];
  return load(padded);
}

inline void store_part(float* to, Vec value, int64_t count) {
  if (count >= kLanes) return store(to, value);
  float padded[kLanes];
  store(padded, value);
  for (int64_t j = 0; j < count; ++j) to[j] = padded[j];
}

inline float dot(const float* a, const float* b, int64_t count) {
  Vec sum{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) sum += load(a + i) * load(b + i);
  if (i < count) sum += load_part(a + i, count - i) * load_part(b + i, count - i);
  return sum_lanes(sum);
}

template <typename F>
inline void parallel_for(const Parallel& parallel, int64_t count, int64_t grain, const F& f) {
  parallel.run(
      parallel.self, count, grain,
      [](void* argument, int64_t begin, int64_t end, int worker) {
        (*static_cast<const F*>(argument))(begin, end, worker);
      },
      const_cast<F*>(&f));
}

}  // namespace
}  // namespace levin::kernels
