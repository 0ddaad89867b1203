#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& avx2_ops() {
  static const Ops kTable = make_table("avx2");
  return kTable;
}

}  // namespace levin::kernels
