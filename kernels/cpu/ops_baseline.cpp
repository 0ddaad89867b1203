#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& baseline_ops() {
  static const Ops table = make_table("baseline");
  return table;
}

}  // namespace levin::kernels
