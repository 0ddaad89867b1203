// Small float32 products for the blocks of lightning attention, and sums of many vectors at once.
// Every element is summed in one order whatever rows and columns lie beside it in a tile.
#pragma once

#include "kernels/cpu/gemm_impl.h"
#include "kernels/cpu/prefetch_impl.h"

namespace levin::kernels {
namespace {

// 0, 1 .. kLanes - 1 as template arguments.
template <int... kLane>
struct LaneList {};
template <int kCount, int... kLane>
struct LanesUpTo : LanesUpTo<kCount - 1, kCount - 1, kLane...> {};
template <int... kLane>
struct LanesUpTo<0, kLane...> {
  using List = LaneList<kLane...>;
};

// Of a and then b, in blocks of kWidth lanes: the lower half of each block or, with kOffset =
// kWidth / 2, the upper one.
template <int kWidth, int kOffset, int... kLane>
inline Vec halves(Vec a, Vec b, LaneList<kLane...>) {
  constexpr int kHalf = kWidth / 2;
  return __builtin_shufflevector(a, b, (kLane / kHalf * kWidth + kLane % kHalf + kOffset)...);
}

// Lane i becomes the sum of the lanes of v[i], added as sum_lanes() does: upper half to lower half.
template <int kWidth>
inline Vec sum_lanes_of(Vec* v) {
  constexpr typename LanesUpTo<kLanes>::List kAll;
  for (int i = 0; i < kWidth / 2; ++i) {
    const Vec lower = halves<kWidth, 0>(v[2 * i], v[2 * i + 1], kAll);
    v[i] = lower + halves<kWidth, kWidth / 2>(v[2 * i], v[2 * i + 1], kAll);
  }
  if constexpr (kWidth > 2) return sum_lanes_of<kWidth / 2>(v);
  return v[0];
}

// out[r, j] = a_r . b_j for `count` rows of b; kLanes products at a time. A product is one vector
// of sums over the depth, added up at the end.
template <int kRows>
inline void dot_rows(const float* a, int64_t lda, const float* b, int64_t ldb, float* out,
                     int64_t ldo, int64_t count, int64_t depth) {
  constexpr int kColumns = kLanes / kRows;
  for (int64_t j = 0; j < count; j += kColumns) {
    // Beyond the last row it is read once more, and not stored.
    const float* row[kColumns];
    for (int c = 0; c < kColumns; ++c) row[c] = b + (j + c < count ? j + c : count - 1) * ldb;
    Vec sum[kLanes] = {};
    for (int64_t k = 0; k < depth; k += kLanes) {
      Vec left[kRows];
      for (int r = 0; r < kRows; ++r) left[r] = load_part(a + r * lda + k, depth - k);
      for (int c = 0; c < kColumns; ++c) {
        const Vec right = load_part(row[c] + k, depth - k);
        for (int r = 0; r < kRows; ++r) {
          sum[r * kColumns + c] = fused_add(left[r], right, sum[r * kColumns + c]);
        }
      }
    }
    float sums[kLanes];
    store(sums, sum_lanes_of<kLanes>(sum));
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns && j + c < count; ++c)
        out[r * ldo + j + c] = sums[r * kColumns + c];
    }
  }
}

// dot_rows of a single row, the same bits: b is walked in one line.
inline void dot_row(const float* a, const float* b, float* out, int64_t count, int64_t depth) {
  for (int64_t j = 0; j < count; j += kLanes) {
    Vec sum[kLanes] = {};
    const int64_t rows = count - j < kLanes ? count - j : kLanes;
    for (int64_t c = 0; c < rows; ++c) {
      Vec total{};
      for (int64_t k = 0; k < depth; k += kLanes) {
        total = fused_add(load_part(a + k, depth - k),
                          load_part(b + (j + c) * depth + k, depth - k), total);
      }
      sum[c] = total;
    }
    store_part(out + j, sum_lanes_of<kLanes>(sum), count - j);
  }
}

// The left side of a product: element (row, k) lies at row * row_stride + k * depth_stride.
struct LeftSide {
  const float* at;
  int64_t row_stride;
  int64_t depth_stride;
};

struct ProductSize {
  int64_t rows;
  int64_t depth;
  int64_t columns;
};

// c = scale * c + a * b, for kRows rows and `columns` <= kVecs * kLanes columns. scale 0 does not
// read c, and scale 1 does not multiply it: the compiler could fuse that product in two ways. With
// kWhole the columns fill their vectors.
template <int kRows, int kVecs, bool kWhole>
inline void product_tile(const LeftSide& a, const float* b, int64_t ldb, float* c, int64_t ldc,
                         int64_t depth, int64_t columns, float scale) {
  const auto read = [&](const float* from, int u) {
    return kWhole ? load(from + u * kLanes) : load_part(from + u * kLanes, columns - u * kLanes);
  };
  Vec sum[kRows][kVecs] = {};
  if (scale != 0) {
    for (int r = 0; r < kRows; ++r) {
      for (int u = 0; u < kVecs; ++u) {
        sum[r][u] = read(c + r * ldc, u);
        if (scale != 1) sum[r][u] *= scale;
      }
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vec right[kVecs];
    for (int u = 0; u < kVecs; ++u) right[u] = read(b + k * ldb, u);
    for (int r = 0; r < kRows; ++r) {
      const Vec left = splat(a.at[r * a.row_stride + k * a.depth_stride]);
      for (int u = 0; u < kVecs; ++u) sum[r][u] = fused_add(left, right[u], sum[r][u]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int u = 0; u < kVecs; ++u) {
      if (kWhole) {
        store(c + r * ldc + u * kLanes, sum[r][u]);
      } else {
        store_part(c + r * ldc + u * kLanes, sum[r][u], columns - u * kLanes);
      }
    }
  }
}

// A single row takes eight vectors at once: it walks b in long lines, and eight sums hide the
// latency of an addition. More rows keep 24 sums (8 where there are 16 registers).
constexpr int kProductRows = kLanes == 16 ? 6 : 4;

// Columns from `column` on, kVecs vectors at a time, what is left by half as many: 64 and 96
// columns are as wide a walk as there is.
template <int kRows, int kVecs>
inline void product_columns(const LeftSide& a, const float* b, int64_t ldb, float* c, int64_t ldc,
                            int64_t depth, int64_t column, int64_t columns, float scale) {
  for (; column + kVecs * kLanes <= columns; column += kVecs * kLanes) {
    product_tile<kRows, kVecs, true>(a, b + column, ldb, c + column, ldc, depth, columns, scale);
  }
  if constexpr (kVecs > 1) {
    product_columns<kRows, kVecs / 2>(a, b, ldb, c, ldc, depth, column, columns, scale);
  } else if (column < columns) {
    product_tile<kRows, 1, false>(a, b + column, ldb, c + column, ldc, depth, columns - column,
                                  scale);
  }
}

template <int kRows>
inline void product_rows(const LeftSide& a, const float* b, int64_t ldb, float* c, int64_t ldc,
                         int64_t depth, int64_t columns, float scale) {
  constexpr int kVecs = kRows == 1 ? 8 : kLanes == 16 ? 4 : 2;
  product_columns<kRows, kVecs>(a, b, ldb, c, ldc, depth, 0, columns, scale);
}

// c[rows, columns] = scale * c + a * b[depth, columns].
inline void add_product(const LeftSide& a, const float* b, int64_t ldb, float* c, int64_t ldc,
                        const ProductSize& size, float scale) {
  const auto left = [&](int64_t row) {
    return LeftSide{a.at + row * a.row_stride, a.row_stride, a.depth_stride};
  };
  int64_t row = 0;
  for (; row + kProductRows <= size.rows; row += kProductRows) {
    product_rows<kProductRows>(left(row), b, ldb, c + row * ldc, ldc, size.depth, size.columns,
                               scale);
  }
  for (; row + 2 <= size.rows; row += 2) {
    product_rows<2>(left(row), b, ldb, c + row * ldc, ldc, size.depth, size.columns, scale);
  }
  for (; row < size.rows; ++row) {
    product_rows<1>(left(row), b, ldb, c + row * ldc, ldc, size.depth, size.columns, scale);
  }
}

}  // namespace
}  // namespace levin::kernels
