// Products of activations with weights of any stored type.
#pragma once

#include <span>

#include "engine/forward.h"

namespace levin::engine {

struct Projection {
  const MatrixView* weights;
  float* out;  // [n, weights->rows]
};

// out = x * weights^T for several matrices that read the same x [n, cols]. Tiled ones are
// multiplied in one loop, with x rounded once to what they need.
void project(const ForwardContext& context, const float* x, int64_t n,
             std::span<const Projection> projections);

// Rounds x [n, cols] to the forms in `forms` (of a model's tiles), for tile jobs to read.
struct ActivationForms {
  bool int8 = false;
  bool bf16 = false;

  void add(kernels::DType dtype) {
    if (!kernels::is_tiled(dtype)) return;
    (dtype == kernels::DType::kTileBF16 ? bf16 : int8) = true;
  }
};
void round_activations(const ForwardContext& context, const float* x, int64_t n, int64_t cols,
                       ActivationForms forms);

// A job that reads what round_activations() left in the buffers.
kernels::TileJob tile_job(const ForwardContext& context, const MatrixView& w, int64_t n,
                          float* out);

}  // namespace levin::engine
