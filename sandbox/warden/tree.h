// Builds the file system of a cell and makes it the root.
#pragma once

#include "base/result.h"
#include "sandbox/cell_plan.h"

namespace levin::sandbox {

// Carries out `plan.mounts` on an empty root and moves the calling process into it; nothing of the
// old root stays reachable. Needs a fresh mount namespace and capabilities in it.
// Errors: kIo with the step and the path.
Result<void> build_tree(const CellPlan& plan);

}  // namespace levin::sandbox
