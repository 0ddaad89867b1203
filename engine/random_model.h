// Checkpoints with random weights of a given shape, for measuring speed without a download. Seeded:
// the same options write the same bytes.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "kernels/tensor_view.h"

namespace levin::engine {

// The config.json of a named shape ("m1-5b", "tiny", "long"); empty when there is no such shape.
//   m1-5b : 5.3 B parameters, 14 lightning and 2 softmax layers (docs/formats/quantized.md)
//   tiny  : 30 M parameters, 7 lightning and 1 softmax layers
//   long  : 2 M parameters, 7 lightning and 1 softmax layers, for contexts of a million tokens
std::string random_model_shape(const std::string& name);

// Parses "bf16", "q8" or "q4" to the type of the big matrices. Errors: kInvalidArgument.
Result<kernels::DType> random_model_type(const std::string& name);

struct RandomModelOptions {
  std::string config_text;                      // A config.json.
  std::string config_name;                      // For messages.
  kernels::DType type = kernels::DType::kBF16;  // kBF16, kTileQ8 or kTileQ4
  std::string folder;                           // Made when missing; must not hold a model yet.
  uint64_t seed = 0;
};

// Writes config.json, model.safetensors and a tokenizer.json of single bytes. Returns the bytes
// written. Errors: kInvalidArgument when the folder holds a model; those of parse_config(); kIo.
Result<uint64_t> write_random_model(const RandomModelOptions& options);

}  // namespace levin::engine
