// The tile kernels for AVX2, FMA and F16C.
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/peaks_impl.h"
#include "kernels/cpu/tile_matmul_impl.h"
#include "kernels/cpu/tile_quantize_impl.h"

namespace levin::kernels {

void set_avx2_tile_ops(Ops* ops) {
  ops->quantize_rows = op_quantize_rows;
  ops->round_rows = op_round_rows;
  ops->tile_matmul = op_tile_matmul;
}

Peaks avx2_peaks() {
  Peaks peaks;
  peaks.float_fma = peak_fma;
  peaks.int8_dot = peak_int8;
  return peaks;
}

}  // namespace levin::kernels
