// The seam between the loop and the checkpoints of its work tree.
#pragma once

#include "agent/transcript.h"
#include "base/result.h"

namespace levin::agent {

class Checkpointer {
 public:
  virtual ~Checkpointer() = default;

  // Saves the work tree as it is after `step` (0: before the first) and says how it is found again.
  virtual Result<CheckpointRecord> save(int step) = 0;
};

}  // namespace levin::agent
