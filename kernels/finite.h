// Looks for weights that are infinite or no numbers: one of them spoils every logit.
#pragma once

#include <cstdint>

#include "kernels/tiles.h"

namespace levin::kernels {

// Index of the first of `count` numbers (kF32, kF16 or kBF16) that is not finite, or -1. `numbers`
// may lie at any address.
int64_t find_not_finite(DType dtype, const void* numbers, int64_t count);

// Whether the scales of panels [first, last) of tiles are finite; of kTileBF16: the weights.
bool panels_are_finite(DType dtype, int64_t cols, const void* tiles, int64_t first, int64_t last);

}  // namespace levin::kernels
