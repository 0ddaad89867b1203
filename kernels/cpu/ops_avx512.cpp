#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& avx512_ops() {
  static const Ops kTable = [] {
    Ops table = make_table("avx512");
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16")) table.attention = attention_avx512bf16;
#endif
    return table;
  }();
  return kTable;
}

}  // namespace levin::kernels
