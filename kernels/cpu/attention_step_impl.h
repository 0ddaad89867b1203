// The inner loops of softmax attention: up to four query rows against one step of 64 keys and
// values. Written once; a `Kv` policy says how keys and values are stored and how a pair of
// products is added. A row's sums run over dims and tokens in order whatever rows lie beside it.
#pragma once

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "kernels/cpu/prefetch_impl.h"
#include "kernels/cpu/vec.h"

namespace levin::kernels {
namespace {

constexpr int kRowsMax = 4;
// Vectors of keys, and of value dims, that a loop keeps sums of: 4 rows x 4 of AVX-512's 32
// registers, 4 x 2 of the 16 that the others have.
constexpr int kVecsAtOnce = kLanes == 16 ? 4 : 2;

// Two stored numbers a lane, widened, against two float32 factors.
struct WidePair {
  Vec low;
  Vec high;
};

struct FloatFactors {
  using Factor = float;  // Of queries and of weights.
  using Pack = WidePair;
  using Pair = WidePair;
  static Pair pair(const float* at) { return {splat(at[0]), splat(at[1])}; }
  static Vec dot(Vec sum, const Pack& a, const Pair& b) {
    return fused_add(a.high, b.high, fused_add(a.low, b.low, sum));
  }
  static void query(const float* q, int64_t count, float* to) {
    for (int64_t c = 0; c < count; ++c) to[c] = q[c];
  }
  // Stores weights and returns them as the sums will see them.
  static Vec weights(Vec value, float* to) {
    store(to, value);
    return value;
  }
};

struct KvF32 : FloatFactors {
  using Stored = float;
  // `stride` elements lie between the two of a pair.
  static Pack pack(const Stored* at, int64_t lane, int64_t stride) {
    return {load(at + lane), load(at + lane + stride)};
  }
};

struct KvBf16 : FloatFactors {
  using Stored = uint16_t;
  static Pack pack(const Stored* at, int64_t lane, int64_t) {
    UintVec raw;
    __builtin_memcpy(&raw, at + 2 * lane, sizeof raw);
    return {bits<Vec>(raw << 16), bits<Vec>(raw & 0xffff0000u)};
  }
};

#if defined(__AVX512BF16__)
// Queries and weights are rounded to bfloat16 too, and the CPU adds two products a lane at once.
struct KvBf16Dot {
  using Stored = uint16_t;
  using Factor = uint16_t;
  using Pack = __m512i;
  using Pair = __m512i;
  static Pack pack(const Stored* at, int64_t lane, int64_t) {
    return _mm512_loadu_si512(at + 2 * lane);
  }
  static Pair pair(const uint16_t* at) {
    int32_t both;
    __builtin_memcpy(&both, at, sizeof both);
    return _mm512_set1_epi32(both);
  }
  static Vec dot(Vec sum, Pack a, Pair b) {
    return bits<Vec>(_mm512_dpbf16_ps(bits<__m512>(sum), bits<__m512bh>(a), bits<__m512bh>(b)));
  }
  static void query(const float* q, int64_t count, uint16_t* to) {
    for (int64_t c = 0; c < count; ++c) to[c] = to_bf16(q[c]);
  }
  static Vec weights(Vec value, uint16_t* to) {
    const HalfVec half = bits<HalfVec>(_mm512_cvtneps_pbh(bits<__m512>(value)));
    __builtin_memcpy(to, &half, sizeof half);
    return bits<Vec>(__builtin_convertvector(half, UintVec) << 16);
  }
};
#endif

// Running softmax of one row over the keys of a section: sum over them of exp(score - maximum),
// times the value (acc) and times 1 (total).
struct SoftmaxRow {
  float maximum;
  float total;
};

template <typename Kv>
struct StepRows {
  const typename Kv::Factor* q[kRowsMax];  // [padded_dim], zeros behind head_dim
  float* acc[kRowsMax];                    // [padded_dim]
  SoftmaxRow* row[kRowsMax];
  int64_t visible[kRowsMax];  // Keys of this step that the row sees; may be <= 0 or beyond.
};

template <typename Kv, int kRows>
inline void step_scores(const StepRows<Kv>& rows, const typename Kv::Stored* keys, int64_t padded,
                        float (*score)[kKvStep]) {
  for (int64_t lane = 0; lane < kKvStep; lane += kVecsAtOnce * kLanes) {
    Vec sum[kRows][kVecsAtOnce] = {};
    for (int64_t pair = 0; pair < padded / 2; ++pair) {
      typename Kv::Pack pack[kVecsAtOnce];
      for (int u = 0; u < kVecsAtOnce; ++u) {
        pack[u] = Kv::pack(keys + pair * 2 * kKvStep, lane + u * kLanes, kKvStep);
      }
      for (int r = 0; r < kRows; ++r) {
        const typename Kv::Pair q = Kv::pair(rows.q[r] + 2 * pair);
        for (int u = 0; u < kVecsAtOnce; ++u) sum[r][u] = Kv::dot(sum[r][u], pack[u], q);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int u = 0; u < kVecsAtOnce; ++u) store(score[r] + lane + u * kLanes, sum[r][u]);
    }
  }
}

// Values of `num_pairs` token pairs, kVecs vectors of dims from `dim` on, added to the rows.
template <typename Kv, int kRows, int kVecs>
inline void step_values(const StepRows<Kv>& rows, const typename Kv::Stored* values, int64_t width,
                        int64_t first, int64_t dim, int64_t num_pairs,
                        const typename Kv::Factor (*weight)[kKvStep], const float* rescale) {
  Vec sum[kRows][kVecs];
  for (int r = 0; r < kRows; ++r) {
    for (int u = 0; u < kVecs; ++u)
      sum[r][u] = load(rows.acc[r] + first + dim + u * kLanes) * rescale[r];
  }
  for (int64_t pair = 0; pair < num_pairs; ++pair) {
    typename Kv::Pack pack[kVecs];
    for (int u = 0; u < kVecs; ++u) {
      pack[u] = Kv::pack(values + pair * 2 * width, dim + u * kLanes, width);
    }
    for (int r = 0; r < kRows; ++r) {
      const typename Kv::Pair w = Kv::pair(weight[r] + 2 * pair);
      for (int u = 0; u < kVecs; ++u) sum[r][u] = Kv::dot(sum[r][u], pack[u], w);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int u = 0; u < kVecs; ++u) store(rows.acc[r] + first + dim + u * kLanes, sum[r][u]);
  }
}

inline Vec lane_numbers() {
  float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = static_cast<float>(i);
  return load(lanes);
}

inline float largest_lane(Vec v) {
  float lanes[kLanes];
  store(lanes, v);
  float largest = lanes[0];
  for (int i = 1; i < kLanes; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
  return largest;
}

// Scores of one row to weights; returns the factor that brings its sums to the new maximum. Not
// inlined: one piece of code, so that the compiler cannot fuse it in two ways.
template <typename Kv>
__attribute__((noinline)) float step_softmax(float* score, int64_t visible, float scale,
                                             SoftmaxRow* row, typename Kv::Factor* weight) {
  constexpr int kVecs = kKvStep / kLanes;
  const Vec none = splat(-INFINITY);
  const Vec numbers = lane_numbers();
  const Vec end = splat(static_cast<float>(visible));
  Vec largest = none;
  for (int u = 0; u < kVecs; ++u) {
    const Vec number = numbers + static_cast<float>(u * kLanes);
    Vec s = load(score + u * kLanes) * scale;
    s = number < end ? s : none;
    store(score + u * kLanes, s);
    largest = s > largest ? s : largest;
  }
  const float before = row->maximum;
  const float found = largest_lane(largest);
  const float next = found > before ? found : before;
  if (next == -INFINITY) {  // Nothing seen yet, and nothing visible here.
    for (int u = 0; u < kVecs; ++u) Kv::weights(Vec{}, weight + u * kLanes);
    return 1.0f;
  }
  Vec sum{};
  for (int u = 0; u < kVecs; ++u) {
    const Vec number = numbers + static_cast<float>(u * kLanes);
    const Vec e = exp_vec(load(score + u * kLanes) - next);
    sum += Kv::weights(number < end ? e : Vec{}, weight + u * kLanes);
  }
  const float rescale = before == -INFINITY ? 0.0f : exp_vec(splat(before - next))[0];
  row->total = row->total * rescale + sum_lanes(sum);
  row->maximum = next;
  return rescale;
}

// kRows rows against one step. `next` is where the following step lies; null when it need not
// be asked for.
template <typename Kv, int kRows>
inline void attend_step(const StepRows<Kv>& rows, const typename Kv::Stored* step, int64_t padded,
                        float scale, const typename Kv::Stored* next) {
  alignas(64) float score[kRows][kKvStep];
  alignas(64) typename Kv::Factor weight[kRows][kKvStep];
  float rescale[kRows];
  const typename Kv::Stored* values = step + kKvStep * padded;
  if (next != nullptr) {
    touch(next, 2 * kKvStep * padded * static_cast<int64_t>(sizeof(*next)));
  }
  step_scores<Kv, kRows>(rows, step, padded, score);
  int64_t most = 0;
  for (int r = 0; r < kRows; ++r) {
    rescale[r] = step_softmax<Kv>(score[r], rows.visible[r], scale, rows.row[r], weight[r]);
    most = rows.visible[r] > most ? rows.visible[r] : most;
  }
  most = most < kKvStep ? most : kKvStep;
  const int64_t num_pairs = (most + 1) / 2;
  constexpr int64_t kWide = kVecsAtOnce * kLanes;
  for (int64_t first = 0; first < padded; first += kKvChunk) {
    const int64_t width = padded - first < kKvChunk ? padded - first : kKvChunk;
    const typename Kv::Stored* chunk = values + first * kKvStep;
    int64_t dim = 0;
    for (; dim + kWide <= width; dim += kWide) {
      step_values<Kv, kRows, kVecsAtOnce>(rows, chunk, width, first, dim, num_pairs, weight,
                                          rescale);
    }
    for (; dim < width; dim += kLanes) {
      step_values<Kv, kRows, 1>(rows, chunk, width, first, dim, num_pairs, weight, rescale);
    }
  }
}

template <typename Kv>
inline void attend_rows(int count, const StepRows<Kv>& rows, const typename Kv::Stored* step,
                        int64_t padded, float scale, const typename Kv::Stored* next) {
  switch (count) {
    case 1:
      return attend_step<Kv, 1>(rows, step, padded, scale, next);
    case 2:
      return attend_step<Kv, 2>(rows, step, padded, scale, next);
    case 3:
      return attend_step<Kv, 3>(rows, step, padded, scale, next);
    default:
      return attend_step<Kv, 4>(rows, step, padded, scale, next);
  }
}

}  // namespace
}  // namespace levin::kernels
