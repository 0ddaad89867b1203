// The reference table's tile entries.
#pragma once

#include "kernels/ops.h"

namespace levin::kernels {

void set_reference_tile_ops(Ops* ops);

}  // namespace levin::kernels
