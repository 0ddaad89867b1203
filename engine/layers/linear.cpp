#include "engine/layers/linear.h"

#include <array>

#include "base/check.h"

namespace levin::engine {

void round_activations(const ForwardContext& context, const float* x, int64_t n, int64_t cols,
                       ActivationForms forms) {
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  if (forms.int8) ops.quantize_rows(parallel, x, n, cols, context.buffers.groups());
  if (forms.bf16) ops.round_rows(parallel, x, n * cols, context.buffers.bf16());
}

kernels::TileJob tile_job(const ForwardContext& context, const MatrixView& w, int64_t n,
                          float* out) {
  kernels::TileJob job;
  job.w = w;
  job.groups = context.buffers.groups();
  job.bf16 = context.buffers.bf16();
  job.n = n;
  job.out = out;
  job.out_stride = w.rows;
  return job;
}

void project(const ForwardContext& context, const float* x, int64_t n,
             std::span<const Projection> projections) {
  constexpr size_t kMax = 4;
  CHECK(projections.size() <= kMax, projections.size());
  std::array<kernels::TileJob, kMax> jobs;
  size_t count = 0;
  ActivationForms forms;
  int64_t cols = 0;
  for (const Projection& one : projections) {
    const MatrixView& w = *one.weights;
    if (!kernels::is_tiled(w.dtype)) {
      context.device.ops().matmul(context.device.parallel(), w, x, n, one.out);
      continue;
    }
    forms.add(w.dtype);
    cols = w.cols;
    jobs[count++] = tile_job(context, w, n, one.out);
  }
  if (count == 0) return;
  round_activations(context, x, n, cols, forms);
  context.device.ops().tile_matmul(context.device.parallel(), jobs.data(),
                                   static_cast<int64_t>(count));
}

}  // namespace levin::engine
