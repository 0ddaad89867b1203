// A session's anchors on disk (docs/formats/state.md): the linear states at places of its log, so
// that a later process can go back there without prefill. The KV rows are not in it: those of the
// state that is loaded beside it (engine/state_file.h) begin with the same tokens.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/anchors.h"
#include "engine/model.h"
#include "engine/tokenizer.h"

namespace levin::engine {

// Writes those of `anchors` that lie within `log`; where they exceed `bytes_max` together, those
// whose neighbours are nearest are left out first. Errors: kIo; nothing is left behind.
Result<void> save_anchors(const std::string& path, const Model& model,
                          const std::vector<TokenId>& log, std::span<const Anchors::Anchor> anchors,
                          size_t bytes_max);

// Adds to *anchors those of the file that `log` begins with, their KV rows shared with `state`,
// which has read all of `log`. Errors: kNotFound, kCorrupt, kUnsupported (another version,
// model or type of KV cache), kLimit; those read before stay.
Result<void> load_anchors(const std::string& path, const Model& model, kernels::Device& device,
                          const std::vector<TokenId>& log, const State& state, Anchors* anchors);

}  // namespace levin::engine
