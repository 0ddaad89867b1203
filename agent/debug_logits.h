// Plumbing: runs given token sequences through a model and writes logits and linear states, in the
// names of the golden files (tests/golden/minimax_m1/README.md).
#pragma once

#include <string>

#include "base/result.h"
#include "engine/model.h"
#include "engine/session.h"
#include "engine/safetensors.h"
#include "kernels/device.h"

namespace levin::agent {

// `input_text` is {"runs": [{"name", "prefill": [ids], "decode": [ids]}]}. For each run R the
// writer gets R.prefill_logits [n, V], R.decode_logits [T, V], R.state_prefill.layer{i} and
// R.state_decode.layer{i} [h, d, d]. `options` says how (chunks, KV type). Errors:
// kInvalidArgument naming the run and key; those of the session.
Result<void> compute_logits(const engine::Model& model, kernels::Device& device,
                            const std::string& input_text, const engine::SessionOptions& options,
                            engine::SafeTensorsWriter* writer);

}  // namespace levin::agent
