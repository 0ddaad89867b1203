// A session's token log and model state on disk (docs/formats/state.md). Written whole or not at
// all; read only when every byte is accounted for and belongs to the same model.
#pragma once

#include <string>
#include <vector>

#include "engine/state.h"
#include "engine/tokenizer.h"

namespace levin::engine {

struct SavedState {
  std::vector<TokenId> log;  // log.size() == state.num_tokens
  State state;
  std::vector<float> logits;  // [vocab_size] after the last token, or empty.
};

// Errors: kIo naming the file; nothing is left behind.
Result<void> save_state(const std::string& path, const Model& model,
                        const std::vector<TokenId>& log, const State& state,
                        const std::vector<float>& logits);

// Errors: kNotFound; kCorrupt (cut, damaged, not such a file); kUnsupported (another version,
// another model, another type of KV cache). The message names the file and what was expected and
// found.
Result<SavedState> load_state(const std::string& path, const Model& model, kernels::Device& device,
                              kernels::DType kv_dtype);

}  // namespace levin::engine
