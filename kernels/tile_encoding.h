// Float weights into quantised tiles (kernels/tiles.h), a panel at a time. Scales are chosen by
// error:
//   kTileQ8  max|w| / 127 of each row's 32 weights, rounded to half precision.
//   kTileQ4  of 18 scales around max|w| / 8, either sign, the one with the least squared error
//   after its
//            weights were rounded, then once more the best scale for those roundings.
//   kTileI8  max|row| / 127 for the whole row, as vLLM's experts_int8.
#pragma once

#include <cstdint>

#include "kernels/tiles.h"

namespace levin::kernels {

// Writes one panel of `dtype` (one of the three above) to `out`.
//   rows : [num_rows <= 16, cols], row-major, finite; can_tile(cols). Missing rows become zero.
// False when a scale does not fit half precision; the panel is then of no use.
[[nodiscard]] bool encode_panel(DType dtype, const float* rows, int64_t num_rows, int64_t cols,
                                void* out);

}  // namespace levin::kernels
