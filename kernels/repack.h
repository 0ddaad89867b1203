// Quantised blocks (kernels/quant_blocks.h) into the tiles that the kernels read (kernels/tiles.h).
// Q4_0 and Q8_0 are the same numbers in another order; of Q4_K and Q6_K the products of both scales
// are rounded to half precision, a relative error of at most 2^-11 in a scale or minimum.
#pragma once

#include <cstdint>

#include "kernels/quant_blocks.h"
#include "kernels/tiles.h"

namespace levin::kernels {

// Q4_0 -> kTileQ4, Q8_0 -> kTileQ8, Q4_K -> kTileQ4M, Q6_K -> kTileQ8G16.
DType tile_type_of(BlockType type);

// Writes panels [first, last) of the matrix [rows, cols] whose rows of blocks lie at `blocks` to
// `out`, where panel 0 begins. Rows beyond the last one are zero. False when a scale is not a
// finite number, or no longer one in half precision.
[[nodiscard]] bool repack_panels(BlockType type, const void* blocks, int64_t rows, int64_t cols,
                                 int64_t first, int64_t last, void* out);

}  // namespace levin::kernels
