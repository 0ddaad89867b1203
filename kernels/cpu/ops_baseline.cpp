#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& baseline_ops() {
  static const Ops kTable = make_table("baseline");
  return kTable;
}

}  // namespace levin::kernels
