// Softmax attention over a bfloat16 cache with the CPU's bfloat16 dot products; the rest of the
// AVX-512 table is in ops_avx512.cpp.
#include "kernels/cpu/attention_impl.h"
#include "kernels/cpu/cpu_ops.h"

namespace levin::kernels {

void attention_avx512bf16(const Parallel& parallel, const AttentionArgs& args) {
  op_attention(parallel, args);
}

}  // namespace levin::kernels
