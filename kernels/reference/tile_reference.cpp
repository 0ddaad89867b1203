// Plain truth of the tile ops: each weight is decoded alone, sums are made in double.
#include "kernels/reference/tile_reference.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/tile_packing.h"

namespace levin::kernels {
namespace {

void quantize_rows(const Parallel&, const float* x, int64_t n, int64_t cols, QuantGroup* out) {
  for (int64_t g = 0; g < n * cols / kTileCols; ++g) {
    const float* values = x + g * kTileCols;
    float largest = 0;
    float poison = 0;
    for (int i = 0; i < 32; ++i) {
      largest = std::fabs(values[i]) > largest ? std::fabs(values[i]) : largest;
      poison += values[i] * 0.0f;
    }
    const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    QuantGroup& group = out[g];
    int sums[2] = {0, 0};
    for (int i = 0; i < 32; ++i) {
      const float scaled = values[i] * inverse;
      group.q[i] = std::isfinite(scaled) ? static_cast<int8_t>(std::nearbyint(scaled)) : int8_t{0};
      sums[i / 16] += group.q[i];
    }
    const int sum = sums[0] + sums[1];
    group.scale = largest / 127.0f + poison;
    group.scaled_sum = group.scale * static_cast<float>(sum);
    group.bias_q4 = -8 * sum;
    group.bias_q8 = -128 * sum;
    group.bias_half[0] = -128 * sums[0];
    group.bias_half[1] = -128 * sums[1];
  }
}

void round_rows(const Parallel&, const float* x, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    const auto raw = std::bit_cast<uint32_t>(x[i]);
    out[i] = std::isnan(x[i]) ? static_cast<uint16_t>(raw >> 16 | 0x40u)
                              : static_cast<uint16_t>((raw + 0x7FFFu + (raw >> 16 & 1u)) >> 16);
  }
}

double activation(const TileJob& job, int64_t row, int64_t col) {
  if (job.w.dtype == DType::kTileBF16) {
    const uint32_t raw = job.bf16[row * job.w.cols + col];
    return std::bit_cast<float>(raw << 16);
  }
  const QuantGroup& group = job.groups[(row * job.w.cols + col) / kTileCols];
  return double{group.scale} * static_cast<double>(group.q[col % kTileCols]);
}

void tile_matmul(const Parallel&, const TileJob* jobs, int64_t num_jobs) {
  for (int64_t j = 0; j < num_jobs; ++j) {
    const TileJob& job = jobs[j];
    for (int64_t i = 0; i < job.n; ++i) {
      const int64_t row = job.rows == nullptr ? i : job.rows[i];
      for (int64_t r = 0; r < job.w.rows; ++r) {
        double sum = 0;
        for (int64_t c = 0; c < job.w.cols; ++c) {
          sum += weight_at(job.w, r, c) * activation(job, row, c);
        }
        job.out[i * job.out_stride + r] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace

void set_reference_tile_ops(Ops* ops) {
  ops->quantize_rows = quantize_rows;
  ops->round_rows = round_rows;
  ops->tile_matmul = tile_matmul;
}

}  // namespace levin::kernels
