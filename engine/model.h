// Start here: a model as plain structs. Config (config.h) says the sizes, Weights hold views of the
// checkpoint, and State is everything that changes as tokens are read. forward.h turns them into
// logits. Letters in shapes: H hidden_size, h num_heads, g num_kv_heads, d head_dim, I
// intermediate_size, E num_experts, V vocab_size.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/tensor_files.h"
#include "engine/weight_packer.h"
#include "kernels/device.h"
#include "kernels/tensor_view.h"

namespace levin::engine {

using kernels::MatrixView;

// Gated MLP: down(silu(gate x) * up x). The published names are w1, w3, w2.
struct MlpWeights {
  MatrixView gate;  // [I, H]
  MatrixView up;    // [I, H]
  MatrixView down;  // [H, I]
};

struct LightningWeights {
  MatrixView qkv;                   // [3 h d, H]; per head q, k, v of d rows each
  MatrixView output_gate;           // [h d, H]
  MatrixView out;                   // [H, h d]
  std::vector<float> norm;          // [h d]
  std::vector<float> decay_powers;  // [h, kLightningBlock + 1]: exp(-slope_rate * i)
};

struct SoftmaxWeights {
  MatrixView q;    // [h d, H]
  MatrixView k;    // [g d, H]
  MatrixView v;    // [g d, H]
  MatrixView out;  // [H, h d]
};

struct MoeWeights {
  MatrixView router;                // [E, H]
  std::vector<MlpWeights> experts;  // [E]
  bool has_shared = false;
  MlpWeights shared;       // Only with shared_intermediate_size > 0.
  MatrixView shared_gate;  // [1, H]
};

struct LayerWeights {
  AttentionKind kind = AttentionKind::kLightning;
  std::vector<float> input_norm;           // [H]
  std::vector<float> post_attention_norm;  // [H]
  LightningWeights lightning;              // kLightning
  SoftmaxWeights softmax;                  // kSoftmax
  MoeWeights moe;
};

// Views of the mapped checkpoint in their stored dtype, or of tiles packed from it; norms are
// copied, widened to float32.
struct Weights {
  MatrixView embedding;  // [V, H]
  std::vector<LayerWeights> layers;
  std::vector<float> final_norm;  // [H]
  MatrixView lm_head;             // [V, H]
  bool has_int8_tiles = false;    // Which rounded activations its matrices read.
  bool has_bf16_tiles = false;
  std::deque<std::vector<float>> dequantised;  // Behind views of quantised tensors.
  WeightArena packed;                          // Behind views of tiles.
};

// A loaded checkpoint. Const after load; may be shared by any number of sessions.
struct Model {
  ModelConfig config;
  TensorFiles files;  // Owns the memory that `weights` looks into.
  Weights weights;
  std::vector<float> inverse_freq;  // [rotary_dim / 2]
  std::string fingerprint;          // Of config and weights: whose states may be loaded.
};

enum class Precision {
  kExact,   // Weights as the file has them, float32 activations.
  kNative,  // bfloat16 and quantised matrices as tiles, activations rounded to bfloat16 or int8.
};

struct LoadOptions {
  Precision precision = Precision::kExact;
  // False: the file is described, not read: quantised matrices are checked for their shapes, their
  // exact views stay empty, and weights are not looked at.
  bool dequantises = true;
  // Of float32 copies of quantised weights (precision exact). 0: what memory is available.
  uint64_t widened_bytes_max = 0;
  const kernels::Parallel* parallel = nullptr;  // Packs tiles; null: the calling thread alone.
};

// Reads config.json and the safetensors of a folder, or a GGUF file (`path` ends in .gguf), and
// checks that each tensor is there with the shape that the config implies and holds finite numbers
// only. Errors: kNotFound, kCorrupt, kUnsupported; the message names the tensor, what was expected
// and what was found. kLimit, with both sizes, when the float32 copies do not fit memory.
Result<std::unique_ptr<Model>> load_model(const std::string& path, const LoadOptions& options = {});

}  // namespace levin::engine
