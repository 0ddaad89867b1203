// The sixteen-lane vectors of the instruction set that this file is compiled for.
#pragma once

#if defined(__AVX512VNNI__) && defined(__AVX512BF16__)
#include "kernels/cpu/tile_vec_avx512.h"
#elif defined(__AVX2__)
#include "kernels/cpu/tile_vec_avx2.h"
#else
#include "kernels/cpu/tile_vec_plain.h"
#endif
