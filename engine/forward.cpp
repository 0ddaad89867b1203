#include "engine/forward.h"

#include <algorithm>

#include "base/check.h"
#include "engine/layers/layers.h"
#include "engine/layers/linear.h"

namespace levin::engine {
namespace {

void decoder_layer(const ForwardContext& context, int64_t layer, int64_t n) {
  const ModelConfig& config = context.model.config;
  const LayerWeights& weights = context.model.weights.layers[static_cast<size_t>(layer)];
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  float* hidden = context.buffers.hidden.data();
  float* normed = context.buffers.normed.data();
  float* branch = context.buffers.branch.data();
  const int64_t width = config.hidden_size;
  const bool is_lightning = weights.kind == AttentionKind::kLightning;
  const ResidualScale& scale = is_lightning ? config.linear_scale : config.full_scale;

  ops.rms_norm(parallel, hidden, weights.input_norm.data(), config.rms_norm_eps, n, width, normed);
  context.emit("attn_in", layer, normed, n, width);
  if (is_lightning) {
    lightning_layer(context, layer, normed, n, branch);
  } else {
    softmax_layer(context, layer, normed, n, branch);
  }
  context.emit("attn_out", layer, branch, n, width);
  // postnorm: the residual is the normed tensor; the layer's input itself is dropped.
  ops.scaled_sum(parallel, config.postnorm ? normed : hidden, scale.alpha, branch, scale.beta,
                 n * width, hidden);
  ops.rms_norm(parallel, hidden, weights.post_attention_norm.data(), config.rms_norm_eps, n, width,
               normed);
  context.emit("moe_in", layer, normed, n, width);
  moe_layer(context, layer, normed, n, branch);
  ops.scaled_sum(parallel, config.postnorm ? normed : hidden, config.mlp_scale.alpha, branch,
                 config.mlp_scale.beta, n * width, hidden);
  context.emit("layer_out", layer, hidden, n, width);
}

// The two kinds of attention never run at once.
int64_t attention_scratch(const ModelConfig& config, int num_workers) {
  return std::max(
      num_workers * kernels::lightning_scratch_floats(config.head_dim),
      kernels::attention_scratch_floats(config.num_heads, config.head_dim, num_workers));
}

}  // namespace

Result<ForwardBuffers> ForwardBuffers::create(const Model& model, kernels::Device& device,
                                              int64_t tokens_max) {
  const ModelConfig& config = model.config;
  ForwardBuffers b;
  b.tokens_max = tokens_max;
  const int64_t n = tokens_max;
  const int64_t wide = config.attention_size();
  const int64_t slots = n * config.num_experts_per_token;
  // Rounded inputs: [n, H], [n, h d] and [slots, I].
  const int64_t rounded =
      std::max(n * std::max(config.hidden_size, wide), slots * config.intermediate_size);
  const struct {
    kernels::DeviceBuffer* buffer;
    int64_t floats;
  } sizes[] = {
      {&b.hidden, n * config.hidden_size},
      {&b.normed, n * config.hidden_size},
      {&b.branch, n * config.hidden_size},
      {&b.qkv, n * 3 * wide},
      {&b.mixed, n * wide},
      {&b.gate, n * wide},
      {&b.scratch, attention_scratch(config, device.parallel().num_workers)},
      {&b.router, n * config.num_experts},
      {&b.route_weights, n * config.num_experts_per_token},
      {&b.expert_in, n * config.hidden_size},
      {&b.expert_gate, slots * config.intermediate_size},
      {&b.expert_up, slots * config.intermediate_size},
      {&b.expert_out, slots * config.hidden_size},
      {&b.shared_gate, n},
      {&b.int8_rows, model.weights.has_int8_tiles ? rounded / 2 : 0},
      {&b.bf16_rows, model.weights.has_bf16_tiles ? rounded / 2 : 0},
  };
  for (const auto& [buffer, floats] : sizes) {
    if (floats == 0) continue;
    TRY_ASSIGN(*buffer, kernels::DeviceBuffer::create(device, static_cast<size_t>(floats)));
  }
  b.route_ids.resize(static_cast<size_t>(slots));
  b.expert_first.resize(static_cast<size_t>(config.num_experts + 1));
  b.expert_next.resize(b.expert_first.size());
  b.pair_slot.resize(static_cast<size_t>(slots));
  b.slot_token.resize(static_cast<size_t>(slots));
  b.jobs.reserve(static_cast<size_t>(2 * config.num_experts));
  return b;
}

Result<void> forward(const ForwardContext& context, std::span<const TokenId> tokens, LogitRows rows,
                     float* logits) {
  const ModelConfig& config = context.model.config;
  const Weights& weights = context.model.weights;
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  ForwardBuffers& buffers = context.buffers;
  const auto n = static_cast<int64_t>(tokens.size());
  CHECK(n >= 1, n);
  CHECK(n <= buffers.tokens_max, n, buffers.tokens_max);
  TRY(context.state.make_writable(context.device, n));
  for (size_t layer = 0; layer < weights.layers.size(); ++layer) {
    if (weights.layers[layer].kind == AttentionKind::kSoftmax) {
      TRY(context.state.kv[layer].reserve(context.state.num_tokens, n));
    }
  }

  ops.embed(parallel, weights.embedding, tokens.data(), n, buffers.hidden.data());
  context.emit("embed", -1, buffers.hidden.data(), n, config.hidden_size);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) decoder_layer(context, layer, n);
  context.state.num_tokens += n;
  if (rows == LogitRows::kNone) return {};

  // lm_head on unrounded float32 hidden states: rounding them is known to split training and
  // inference probabilities (MiniMax-M1 report, section 3.2).
  ops.rms_norm(parallel, buffers.hidden.data(), weights.final_norm.data(), config.rms_norm_eps, n,
               config.hidden_size, buffers.normed.data());
  context.emit("final_norm", -1, buffers.normed.data(), n, config.hidden_size);
  const int64_t first = rows == LogitRows::kLast ? n - 1 : 0;
  const Projection projection[] = {{&weights.lm_head, logits}};
  project(context, buffers.normed.data() + first * config.hidden_size, n - first, projection);
  return {};
}

}  // namespace levin::engine
