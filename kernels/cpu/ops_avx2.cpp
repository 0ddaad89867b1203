#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/table_impl.h"

namespace levin::kernels {

const Ops& avx2_ops() {
  static const Ops kTable = [] {
    Ops ops = make_table("avx2");
    set_avx2_tile_ops(&ops);
    return ops;
  }();
  return kTable;
}

}  // namespace levin::kernels
