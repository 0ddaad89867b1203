// The inner warden: process 1 of a cell. Builds the cell, then clones one init per command.
#pragma once

#include "base/result.h"
#include "sandbox/cell_plan.h"

namespace levin::sandbox {

// The first packet on `socket` (Packet::Kind::kCell). Errors: kIo, kCorrupt.
Result<CellPlan> receive_cell_plan(int socket);

// Builds the cell, reports its layers, and serves requests until the other end of `socket` closes.
// Errors: what keeps the cell from being built.
Result<void> serve_cell(int socket, const CellPlan& plan);

}  // namespace levin::sandbox
