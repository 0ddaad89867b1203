// Matrix products with row-major weights: out[n, rows] = x[n, cols] * w[rows, cols]^T reads each weight
// once per four tokens.
#pragma once

#include "kernels/cpu/vec.h"

namespace levin::kernels {
namespace {

// Below this many multiply-adds an op stays on the calling thread: waking another costs more.
constexpr int64_t kWorkPerRange = 1 << 16;

constexpr int kBlockRows = 4;
constexpr int kBlockTokens = 4;

// kRows x kTokens sums in registers (16 vectors of AVX-512's 32) over the whole of cols.
template <typename Read, int kRows, int kTokens>
inline void matmul_tile(const char* w, int64_t cols, const float* x, float* out,
                        int64_t out_stride) {
  Vec sum[kRows][kTokens] = {};
  int64_t k = 0;
  for (; k + kLanes <= cols; k += kLanes) {
    Vec weight[kRows];
    for (int r = 0; r < kRows; ++r) weight[r] = Read::vec(w + (r * cols + k) * Read::kBytes);
    for (int t = 0; t < kTokens; ++t) {
      const Vec value = load(x + t * cols + k);
      for (int r = 0; r < kRows; ++r) sum[r][t] += weight[r] * value;
    }
  }
  for (int t = 0; t < kTokens; ++t) {
    for (int r = 0; r < kRows; ++r) {
      float total = sum_lanes(sum[r][t]);
      for (int64_t j = k; j < cols; ++j) {
        total += Read::one(w + (r * cols + j) * Read::kBytes) * x[t * cols + j];
      }
      out[t * out_stride + r] = total;
    }
  }
}

template <typename Read, int kRows>
inline void matmul_rows(const char* w, int64_t cols, const float* x, int64_t n, float* out,
                        int64_t out_stride) {
  int64_t t = 0;
  for (; t + kBlockTokens <= n; t += kBlockTokens) {
    matmul_tile<Read, kRows, kBlockTokens>(w, cols, x + t * cols, out + t * out_stride, out_stride);
  }
  for (; t < n; ++t) {
    matmul_tile<Read, kRows, 1>(w, cols, x + t * cols, out + t * out_stride, out_stride);
  }
}

template <typename Read>
inline void matmul_as(const Parallel& parallel, const MatrixView& w, const float* x, int64_t n,
                      float* out) {
  const int64_t cols = w.cols;
  const char* data = static_cast<const char*>(w.data);
  // A weight's way from memory takes as long as its products with several tokens.
  constexpr int64_t kTokensOfReading = 4;
  const int64_t work_per_row = cols * (n > kTokensOfReading ? n : kTokensOfReading);
  const int64_t rows_per_range = kWorkPerRange / work_per_row + 1;
  const int64_t grain = (rows_per_range + kBlockRows - 1) / kBlockRows * kBlockRows;
  parallel_for(parallel, w.rows, grain, [=](int64_t begin, int64_t end, int) {
    int64_t row = begin;
    for (; row + kBlockRows <= end; row += kBlockRows) {
      matmul_rows<Read, kBlockRows>(data + row * cols * Read::kBytes, cols, x, n, out + row, w.rows);
    }
    for (; row < end; ++row) {
      matmul_rows<Read, 1>(data + row * cols * Read::kBytes, cols, x, n, out + row, w.rows);
    }
  });
}

inline void op_matmul(const Parallel& parallel, const MatrixView& w, const float* x, int64_t n,
                      float* out) {
  switch (w.dtype) {
    case DType::kF32:
      return matmul_as<ReadF32>(parallel, w, x, n, out);
    case DType::kF16:
      return matmul_as<ReadF16>(parallel, w, x, n, out);
    case DType::kBF16:
      return matmul_as<ReadBF16>(parallel, w, x, n, out);
    default:
      return;  // Tiles are read by tile_matmul.
  }
}

}  // namespace
}  // namespace levin::kernels
