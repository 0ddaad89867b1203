// Single weights and whole panels of tiled matrices (kernels/tiles.h), in plain code: for packing
// at load, for the reference ops and for tests.
#pragma once

#include <cstdint>

#include "kernels/quant_blocks.h"
#include "kernels/tiles.h"

namespace levin::kernels {

// Element (row, col) of a matrix of any type, widened to float32.
float weight_at(const MatrixView& w, int64_t row, int64_t col);

// Writes panels [first, last) of `w` (row-major F32, F16 or BF16, can_tile(w.cols)) as kTileBF16 to
// `out`, where panel 0 begins. Values are rounded to nearest even; rows beyond the last are zero.
void pack_bf16_panels(const MatrixView& w, int64_t first, int64_t last, void* out);

}  // namespace levin::kernels
