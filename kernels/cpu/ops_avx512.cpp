#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& avx512_ops() {
  static const Ops kTable = [] {
    Ops table = make_table("avx512");
    // VNNI and BF16 came later than AVX-512 itself: without them the tile kernels of AVX2 serve.
    set_avx2_tile_ops(&table);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16")) {
      table.attention = attention_avx512bf16;
      if (__builtin_cpu_supports("avx512vnni")) set_avx512_tile_ops(&table);
    }
#endif
    return table;
  }();
  return kTable;
}

}  // namespace levin::kernels
