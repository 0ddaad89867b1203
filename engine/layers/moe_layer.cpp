#include <algorithm>

#include "engine/layers/layers.h"

namespace levin::engine {
namespace {

// One gated MLP over `n` rows of x; the result is in buffers.expert_out.
void run_mlp(const ForwardContext& context, const MlpWeights& mlp, const float* x, int64_t n) {
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  ForwardBuffers& buffers = context.buffers;
  ops.matmul(parallel, mlp.gate, x, n, buffers.expert_gate.data());
  ops.matmul(parallel, mlp.up, x, n, buffers.expert_up.data());
  ops.silu_multiply(parallel, buffers.expert_gate.data(), buffers.expert_up.data(),
                    n * mlp.gate.rows);
  ops.matmul(parallel, mlp.down, buffers.expert_gate.data(), n, buffers.expert_out.data());
}

void route(const ForwardContext& context, int64_t layer, const float* v, int64_t n) {
  const ModelConfig& config = context.model.config;
  ForwardBuffers& buffers = context.buffers;
  const kernels::Ops& ops = context.device.ops();
  const MoeWeights& weights = context.model.weights.layers[static_cast<size_t>(layer)].moe;
  ops.matmul(context.device.parallel(), weights.router, v, n, buffers.router.data());
  context.emit("router_logits", layer, buffers.router.data(), n, config.num_experts);
  kernels::RouteArgs args;
  args.logits = buffers.router.data();
  args.ids = buffers.route_ids.data();
  args.weights = buffers.route_weights.data();
  args.num_tokens = n;
  args.num_experts = config.num_experts;
  args.top_k = config.num_experts_per_token;
  ops.route(context.device.parallel(), args);
  context.emit("topk_weights", layer, buffers.route_weights.data(), n, args.top_k);
  if (context.trace) {
    std::vector<float> ids(buffers.route_ids.begin(), buffers.route_ids.begin() + n * args.top_k);
    context.emit("topk_ids", layer, ids.data(), n, args.top_k);
  }
}

// The tokens that chose `expert`, with their weights; returns how many.
int64_t collect_rows(const ForwardContext& context, int64_t expert, int64_t n) {
  ForwardBuffers& buffers = context.buffers;
  const int64_t top_k = context.model.config.num_experts_per_token;
  size_t count = 0;
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t rank = 0; rank < top_k; ++rank) {
      const auto at = static_cast<size_t>(t * top_k + rank);
      if (buffers.route_ids[at] != expert) continue;
      buffers.expert_rows[count] = static_cast<int32_t>(t);
      buffers.expert_weights[count++] = buffers.route_weights.data()[at];
    }
  }
  return static_cast<int64_t>(count);
}

}  // namespace

void moe_layer(const ForwardContext& context, int64_t layer, const float* v, int64_t n,
               float* out) {
  const ModelConfig& config = context.model.config;
  const MoeWeights& weights = context.model.weights.layers[static_cast<size_t>(layer)].moe;
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  ForwardBuffers& buffers = context.buffers;
  const int64_t width = config.hidden_size;

  route(context, layer, v, n);
  std::fill_n(out, n * width, 0.0f);
  for (int64_t expert = 0; expert < config.num_experts; ++expert) {
    const int64_t count = collect_rows(context, expert, n);
    if (count == 0) continue;
    ops.gather_rows(parallel, v, buffers.expert_rows.data(), count, width,
                    buffers.expert_in.data());
    run_mlp(context, weights.experts[static_cast<size_t>(expert)], buffers.expert_in.data(), count);
    ops.scatter_add_rows(parallel, buffers.expert_out.data(), buffers.expert_rows.data(),
                         buffers.expert_weights.data(), count, width, out);
  }
  context.emit("moe_out", layer, out, n, width);
  if (!weights.has_shared) return;
  run_mlp(context, weights.shared, v, n);
  context.emit("shared_mlp_out", layer, buffers.expert_out.data(), n, width);
  ops.matmul(parallel, weights.shared_gate, v, n, buffers.shared_gate.data());
  ops.mix_shared(parallel, out, buffers.expert_out.data(), buffers.shared_gate.data(), n, width);
}

}  // namespace levin::engine
