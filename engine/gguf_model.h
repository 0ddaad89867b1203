// A GGUF file of architecture `minimax-01` (MiniMax-Text-01 and M1, as llama.cpp's converter writes
// them) in this engine's own terms: a config as config.json would say it, and tensors under the
// published names. Nothing is copied: expert e is a slice of its stacked tensor.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/gguf.h"
#include "engine/tensor_files.h"

namespace levin::engine {

// True for a path that load_model() takes as a GGUF file.
bool is_gguf_path(const std::string& path);

// The metadata as the text of a config.json. Betas are 1 and postnorm holds by the architecture;
// the inner norm of lightning layers keeps its own eps. Errors: kUnsupported for another
// architecture or a feature that is not computed, kCorrupt for a missing key or a wrong kind.
Result<std::string> gguf_config_json(const Gguf& file);

// Moves the tensors out of `file`. Errors: kCorrupt naming the tensor, what the metadata imply and
// what was found; also for a tensor that has no place in the architecture.
Result<TensorFiles> take_gguf_tensors(Gguf&& file);

}  // namespace levin::engine
