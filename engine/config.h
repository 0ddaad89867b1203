// config.json of a MiniMax-M1 family checkpoint, parsed and validated. Defaults are those of the
// published configuration class.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace levin::engine {

enum class AttentionKind : uint8_t { kLightning, kSoftmax };

// Residual and branch weight around a block.
struct ResidualScale {
  float alpha = 1;
  float beta = 1;
};

struct ModelConfig {
  std::string architecture;
  int64_t vocab_size = 32000;
  int64_t hidden_size = 4096;
  int64_t num_layers = 32;
  std::vector<AttentionKind> attention_kinds;  // [num_layers]
  int64_t num_heads = 32;
  int64_t num_kv_heads = 8;  // Softmax layers only.
  int64_t head_dim = 128;
  int64_t rotary_dim = 128;  // Leading dims of each head that are rotated.
  double rope_theta = 1e6;
  int64_t intermediate_size = 14336;  // Width of each expert.
  int64_t num_experts = 8;
  int64_t num_experts_per_token = 2;
  int64_t shared_intermediate_size = 0;  // > 0: a shared expert in every layer.
  float rms_norm_eps = 1e-5f;
  float linear_norm_eps = 1e-6f;  // Inner norm of lightning layers: fixed in the published code.
  bool postnorm = false;
  bool tie_word_embeddings = false;
  int64_t max_position_embeddings = 4096 * 32;
  ResidualScale linear_scale;  // Around lightning attention.
  ResidualScale full_scale;    // Around softmax attention.
  ResidualScale mlp_scale;     // Around the experts.
  int64_t eos_token_id = -1;   // -1: not in the file (the tokenizer knows).

  int64_t attention_size() const { return num_heads * head_dim; }
  int64_t num_linear_layers() const;
};

// Errors: kCorrupt with the key, what was expected and what was found; kUnsupported for features of
// relatives that this engine does not compute.
Result<ModelConfig> parse_config(const std::string& json_text, const std::string& file_name);
Result<ModelConfig> load_config(const std::string& path);

// Per-token slope rates of a lightning layer, [num_heads]: the geometric series of the head times
// the layer's factor 1 - layer / (num_layers - 1) + 1e-5. A model of one layer has factor 1 + 1e-5.
std::vector<float> slope_rates(const ModelConfig& config, int64_t layer);

}  // namespace levin::engine
