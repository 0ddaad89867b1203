// Products with tiled weights (kernels/tiles.h), written once against the sixteen-lane vectors of a
// tile_vec_*.h that is included before this file. A panel is read in order, straight from memory,
// and multiplied with up to kGemmTokens tokens whose sums stay in registers; for more tokens it is
// read again from the cache. Unpacking bytes once for all tokens instead is slower, measured on
// Zen 4: float sums then go through memory, and filling such a block waits for weights that no loop
// has asked for ahead. bfloat16 needs no unpacking and keeps its float sums in registers for a
// whole block of four panels, which is twice as fast for many tokens. All forms make the same sums
// in the same order.
#pragma once

#include <string.h>

#include "kernels/cpu/gemm_impl.h"
#include "kernels/cpu/tile_vec.h"
#include "kernels/tiles.h"

namespace levin::kernels {
namespace {

constexpr int kSteps = 8;             // Of four columns each: one group.
constexpr int64_t kChunkTokens = 96;  // Of 2,048 columns: 384 KiB, level 2
constexpr int64_t kDirectTokensBf16 = 4;
constexpr int64_t kBlockPairs = 64;  // bfloat16: 4 panels x 64 pairs x 64 bytes

inline int32_t load_four(const void* from) {
  int32_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

template <DType kType>
constexpr bool kIsNibbles = kType == DType::kTileQ4 || kType == DType::kTileQ4M;
template <DType kType>
constexpr int kParts = kType == DType::kTileQ8G16 ? 2 : 1;  // Scales per row and group.
template <DType kType>
constexpr int64_t kWeightsAt = kType == DType::kTileI8                                  ? 0
                               : kType == DType::kTileQ4M || kType == DType::kTileQ8G16 ? 64
                                                                                        : 32;

template <DType kType>
inline void unpack(const char* tile, Bytes* steps) {
  const char* at = tile + kWeightsAt<kType>;
  if constexpr (kIsNibbles<kType>) {
    for (int i = 0; i < kSteps / 2; ++i) {
      const Bytes packed = load_bytes(at + i * 64);
      steps[i] = low_nibbles(packed);
      steps[i + kSteps / 2] = high_nibbles(packed);
    }
  } else {
    for (int i = 0; i < kSteps; ++i) steps[i] = load_bytes(at + i * 64);
  }
}

template <DType kType>
inline Floats tile_scale(const char* tile, int part) {
  if constexpr (kType == DType::kTileI8) return splat_floats(1.0f);
  return load_halves(tile + part * 32);
}

// Where the integer sum starts, so that weights can be multiplied as they are stored.
template <DType kType>
inline Ints bias(const QuantGroup& x, int part) {
  if constexpr (kType == DType::kTileQ4) return splat_int(x.bias_q4);
  if constexpr (kType == DType::kTileQ4M || !kBytesAreUnsigned) return splat_int(0);
  if constexpr (kType == DType::kTileQ8G16) return splat_int(x.bias_half[part]);
  return splat_int(x.bias_q8);
}

template <DType kType>
inline Ints dot(Ints sum, Bytes weights, Ints activations) {
  if constexpr (kIsNibbles<kType>) return dot_nibbles(sum, weights, activations);
  return dot_bytes(sum, weights, activations);
}

// One group's integer sum into the float one: the only place where rounding happens.
inline Floats accumulate(Ints part_sum, float x_scale, Floats w_scale, Floats sum) {
  return multiply_add(multiply(to_float(part_sum), splat_floats(x_scale)), w_scale, sum);
}

inline void store_rows(float* out, Floats sum, int64_t rows) {
  if (rows >= kTileRows) return store_floats(out, sum);
  float all[kTileRows];
  store_floats(all, sum);
  for (int64_t r = 0; r < rows; ++r) out[r] = all[r];
}

// Where the rows of a job's tokens begin, for up to kChunkTokens of them.
template <typename Row>
struct TokenRows {
  const Row* x[kChunkTokens];
  float* out[kChunkTokens];
};

template <DType kType, int kTokens>
inline void direct_tokens(const char* panel, int64_t groups, const QuantGroup* const* x,
                          float* const* out, int64_t rows) {
  Floats sum[kTokens];
  for (int t = 0; t < kTokens; ++t) sum[t] = splat_floats(0);
  const char* tile = panel + panel_header_bytes(kType);
  constexpr int kPartSteps = kSteps / kParts<kType>;
  for (int64_t g = 0; g < groups; ++g, tile += tile_bytes(kType)) {
    Bytes steps[kSteps];
    unpack<kType>(tile, steps);
    for (int part = 0; part < kParts<kType>; ++part) {
      // Two integer sums a token, which are exact in any order: half the chain of dependent
      // products.
      Ints part_sum[kTokens];
      Ints other_sum[kTokens];
      for (int t = 0; t < kTokens; ++t) {
        part_sum[t] = bias<kType>(x[t][g], part);
        other_sum[t] = splat_int(0);
      }
      for (int s = part * kPartSteps; s < (part + 1) * kPartSteps; s += 2) {
        for (int t = 0; t < kTokens; ++t) {
          const int8_t* q = x[t][g].q + s * 4;
          part_sum[t] = dot<kType>(part_sum[t], steps[s], splat_int(load_four(q)));
          other_sum[t] = dot<kType>(other_sum[t], steps[s + 1], splat_int(load_four(q + 4)));
        }
      }
      for (int t = 0; t < kTokens; ++t) part_sum[t] = add_ints(part_sum[t], other_sum[t]);
      const Floats scale = tile_scale<kType>(tile, part);
      for (int t = 0; t < kTokens; ++t) {
        sum[t] = accumulate(part_sum[t], x[t][g].scale, scale, sum[t]);
      }
    }
    if constexpr (kType == DType::kTileQ4M) {
      const Floats minimum = load_halves(tile + 32);
      for (int t = 0; t < kTokens; ++t) {
        sum[t] = subtract_product(minimum, splat_floats(x[t][g].scaled_sum), sum[t]);
      }
    }
  }
  for (int t = 0; t < kTokens; ++t) {
    if constexpr (kType == DType::kTileI8) {
      sum[t] = multiply(sum[t], load_floats(reinterpret_cast<const float*>(panel)));
    }
    store_rows(out[t], sum[t], rows);
  }
}

template <int kTokens>
inline void direct_tokens_bf16(const char* panel, int64_t pairs, const uint16_t* const* x,
                               float* const* out, int64_t rows) {
  Floats sum[kTokens];
  for (int t = 0; t < kTokens; ++t) sum[t] = splat_floats(0);
  for (int64_t p = 0; p < pairs; ++p) {
    const Bytes weights = load_bytes(panel + p * 64);
    for (int t = 0; t < kTokens; ++t) {
      sum[t] = dot_bf16(sum[t], weights, splat_int(load_four(x[t] + p * 2)));
    }
  }
  for (int t = 0; t < kTokens; ++t) store_rows(out[t], sum[t], rows);
}

// Calls f<T>(first token) so that n tokens are covered, T as large as possible, at most kTokens.
template <int kTokens, typename F>
inline void for_token_groups(int64_t n, int64_t first, const F& f) {
  for (; n - first >= kTokens; first += kTokens) f.template operator()<kTokens>(first);
  if constexpr (kTokens > 1) for_token_groups<kTokens - 1>(n, first, f);
}

template <DType kType, typename Row>
inline void direct_panel(const char* panel, int64_t cols, const TokenRows<Row>& tokens, int64_t n,
                         int64_t first_row, int64_t rows) {
  for_token_groups<kGemmTokens>(n, 0, [&]<int kTokens>(int64_t first) {
    float* out[kTokens];
    for (int t = 0; t < kTokens; ++t) out[t] = tokens.out[first + t] + first_row;
    if constexpr (kType == DType::kTileBF16) {
      direct_tokens_bf16<kTokens>(panel, cols / 2, tokens.x + first, out, rows);
    } else {
      direct_tokens<kType, kTokens>(panel, cols / kTileCols, tokens.x + first, out, rows);
    }
  });
}

template <int kTokens>
inline void gemm_tokens_bf16(const char* panels, size_t panel_stride, int64_t first_pair,
                             int64_t pairs, const uint16_t* const* rows,
                             float (*sums)[kGemmPanels][kTileRows]) {
  Floats sum[kGemmPanels][kTokens];
  for (int t = 0; t < kTokens; ++t) {
    for (int p = 0; p < kGemmPanels; ++p) sum[p][t] = load_floats(sums[t][p]);
  }
  const char* at = panels + first_pair * 64;
  for (int64_t pair = 0; pair < pairs; ++pair, at += 64) {
    Bytes weights[kGemmPanels];
    for (int p = 0; p < kGemmPanels; ++p) {
      weights[p] = load_bytes(at + static_cast<size_t>(p) * panel_stride);
    }
    for (int t = 0; t < kTokens; ++t) {
      const Ints activations = splat_int(load_four(rows[t] + (first_pair + pair) * 2));
      for (int p = 0; p < kGemmPanels; ++p) {
        sum[p][t] = dot_bf16(sum[p][t], weights[p], activations);
      }
    }
  }
  for (int t = 0; t < kTokens; ++t) {
    for (int p = 0; p < kGemmPanels; ++p) store_floats(sums[t][p], sum[p][t]);
  }
}

using GemmSums = float[kChunkTokens][kGemmPanels][kTileRows];

// kGemmPanels whole panels times up to kChunkTokens tokens. Float sums rest in memory between
// blocks, which changes no bit.
inline void gemm_panels_bf16(const char* panels, int64_t cols, const TokenRows<uint16_t>& tokens,
                             int64_t n, int64_t first_row, int64_t rows) {
  alignas(64) GemmSums sums;
  memset(sums, 0, static_cast<size_t>(n) * sizeof sums[0]);
  const int64_t pairs = cols / 2;
  for (int64_t first = 0; first < pairs; first += kBlockPairs) {
    const int64_t count = pairs - first < kBlockPairs ? pairs - first : kBlockPairs;
    for_token_groups<kGemmTokens>(n, 0, [&]<int kTokens>(int64_t token) {
      gemm_tokens_bf16<kTokens>(panels, panel_bytes(DType::kTileBF16, cols), first, count,
                                tokens.x + token, sums + token);
    });
  }
  for (int64_t t = 0; t < n; ++t) {
    for (int p = 0; p < kGemmPanels; ++p) {
      store_rows(tokens.out[t] + first_row + p * kTileRows, load_floats(sums[t][p]),
                 rows - p * kTileRows);
    }
  }
}

inline bool is_bf16_gemm(const TileJob& job) {
  return job.w.dtype == DType::kTileBF16 && job.n > kDirectTokensBf16;
}

// How a job is cut: single panels, or groups of kGemmPanels where a chunk of tokens is to be used
// more than once while it is in the level-2 cache.
inline int64_t panels_per_unit(const TileJob& job) {
  return is_bf16_gemm(job) || job.n > kChunkTokens ? kGemmPanels : 1;
}
inline int64_t num_units(const TileJob& job) {
  const int64_t per_unit = panels_per_unit(job);
  return (num_panels(job.w.rows) + per_unit - 1) / per_unit;
}

template <DType kType, typename Row>
inline void run_unit(const TileJob& job, const Row* x, int64_t row_length, int64_t unit) {
  const int64_t per_unit = panels_per_unit(job);
  const int64_t first_panel = unit * per_unit;
  const int64_t left = num_panels(job.w.rows) - first_panel;
  const int64_t count = left < per_unit ? left : per_unit;
  const size_t stride = panel_bytes(kType, job.w.cols);
  const char* panels =
      static_cast<const char*>(job.w.data) + static_cast<size_t>(first_panel) * stride;
  for (int64_t first = 0; first < job.n; first += kChunkTokens) {
    const int64_t n = job.n - first < kChunkTokens ? job.n - first : kChunkTokens;
    TokenRows<Row> tokens;
    for (int64_t t = 0; t < n; ++t) {
      tokens.x[t] = x + (job.rows == nullptr ? first + t : job.rows[first + t]) * row_length;
      tokens.out[t] = job.out + (first + t) * job.out_stride;
    }
    if constexpr (kType == DType::kTileBF16) {
      if (count == kGemmPanels && is_bf16_gemm(job)) {
        const int64_t row = first_panel * kTileRows;
        gemm_panels_bf16(panels, job.w.cols, tokens, n, row, job.w.rows - row);
        continue;
      }
    }
    for (int64_t p = 0; p < count; ++p) {
      const int64_t row = (first_panel + p) * kTileRows;
      direct_panel<kType>(panels + static_cast<size_t>(p) * stride, job.w.cols, tokens, n, row,
                          job.w.rows - row);
    }
  }
}

inline void run_unit(const TileJob& job, int64_t unit) {
  const int64_t groups = job.w.cols / kTileCols;
  switch (job.w.dtype) {
    case DType::kTileQ4:
      return run_unit<DType::kTileQ4>(job, job.groups, groups, unit);
    case DType::kTileQ4M:
      return run_unit<DType::kTileQ4M>(job, job.groups, groups, unit);
    case DType::kTileQ8:
      return run_unit<DType::kTileQ8>(job, job.groups, groups, unit);
    case DType::kTileQ8G16:
      return run_unit<DType::kTileQ8G16>(job, job.groups, groups, unit);
    case DType::kTileI8:
      return run_unit<DType::kTileI8>(job, job.groups, groups, unit);
    case DType::kTileBF16:
      return run_unit<DType::kTileBF16>(job, job.bf16, job.w.cols, unit);
    default:
      return;  // Row-major: not a tile job.
  }
}

// Multiply-adds below which a second thread does not pay.
constexpr int64_t kTileWorkPerRange = 1 << 17;
constexpr int64_t kRangesPerWorker = 8;  // So that a thread that lost its core costs one eighth.

inline void op_tile_matmul(const Parallel& parallel, const TileJob* jobs, int64_t num_jobs) {
  int64_t units = 0;
  int64_t work = 0;
  for (int64_t j = 0; j < num_jobs; ++j) {
    if (jobs[j].n == 0) continue;
    units += num_units(jobs[j]);
    work += jobs[j].w.rows * jobs[j].w.cols * jobs[j].n;
  }
  const int64_t by_work = work / kTileWorkPerRange + 1;
  const int64_t by_workers = parallel.num_workers * kRangesPerWorker;
  const bool has_gemm = work / (units + 1) > kTileWorkPerRange;
  const int64_t ranges = has_gemm || by_work < by_workers ? by_work : by_workers;
  const int64_t grain = (units + ranges - 1) / ranges;
  parallel_for(parallel, units, grain, [=](int64_t begin, int64_t end, int) {
    int64_t first = 0;  // The first unit of the job at hand.
    for (int64_t j = 0; j < num_jobs && first < end; ++j) {
      if (jobs[j].n == 0) continue;
      const int64_t count = num_units(jobs[j]);
      const int64_t from = begin > first ? begin : first;
      const int64_t to = end < first + count ? end : first + count;
      for (int64_t unit = from; unit < to; ++unit) run_unit(jobs[j], unit - first);
      first += count;
    }
  });
}

}  // namespace
}  // namespace levin::kernels
