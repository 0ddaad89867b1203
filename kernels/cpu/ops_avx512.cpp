#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& avx512_ops() {
  static const Ops kTable = make_table("avx512");
  return kTable;
}

}  // namespace levin::kernels
