// Writes a quantised copy of a model folder (docs/formats/quantized.md), streaming: a few panels
// are in memory at a time, whatever the model's size, and the new weights appear whole or not at
// all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/ops.h"

namespace levin::engine {

enum class QuantType { kQ8, kQ4, kExpertsInt8 };

struct QuantiseOptions {
  // Folder with config.json and safetensors in F32, F16 or BF16, or a GGUF file; its blocks are
  // rounded a second time.
  std::string source;
  std::string destination;  // Folder that is absent or empty.
  QuantType type = QuantType::kQ8;
  bool keep_lm_head = false;
  const kernels::Parallel* parallel = nullptr;
};

struct QuantiseReport {
  int64_t num_quantised = 0;
  int64_t num_kept = 0;
  std::vector<std::string> no_tiles;  // Would be quantised, but their columns fill no whole tiles.
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
};

// Errors: those of load_model(); kInvalidArgument for the folders; kUnsupported for a source
// that is in tiles already; kCorrupt naming tensor, row and column of a weight that is not finite,
// or the tensor whose weights are too large for the format; kIo. The destination is empty after an
// error.
Result<QuantiseReport> quantise_model(const QuantiseOptions& options);

}  // namespace levin::engine
