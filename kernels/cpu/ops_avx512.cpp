#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& avx512_ops() {
  static const Ops table = make_table("avx512");
  return table;
}

}  // namespace levin::kernels
