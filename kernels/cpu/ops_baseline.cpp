#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& baseline_ops() {
  static const Ops kTable = [] {
    Ops ops = make_table("baseline");
    set_baseline_tile_ops(&ops);
    return ops;
  }();
  return kTable;
}

}  // namespace levin::kernels
