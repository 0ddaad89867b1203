// The op tables of each instruction set; one small file fills each (ops_<isa>.cpp).
#pragma once

#include "kernels/ops.h"
#include "kernels/peaks.h"

namespace levin::kernels {

const Ops& baseline_ops();  // What every x86-64 has (SSE2), and the fallback elsewhere.
const Ops& avx2_ops();      // AVX2, FMA, F16C
const Ops& avx512_ops();    // AVX-512 F, BW, VL, DQ; BF16 where the CPU has it

void attention_avx512bf16(const Parallel& parallel, const AttentionArgs& args);

Peaks avx2_peaks();
Peaks avx512_peaks();

// The tile entries of a table (quantize_rows, round_rows, tile_matmul).
void set_baseline_tile_ops(Ops* ops);
void set_avx2_tile_ops(Ops* ops);
void set_avx512_tile_ops(Ops* ops);  // With VNNI and BF16, which not every CPU with AVX-512 has.

}  // namespace levin::kernels
