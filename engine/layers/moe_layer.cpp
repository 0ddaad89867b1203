// Mixture of experts. The pairs (token, rank) are sorted by expert into slots, so that each expert
// reads its weights once for all its tokens; a token's results are summed in the order of its
// ranks.
#include <algorithm>

#include "engine/layers/layers.h"
#include "engine/layers/linear.h"
#include "kernels/tiles.h"

namespace levin::engine {
namespace {

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

// A counting sort of the pairs by expert.
void sort_slots(const ForwardContext& context, int64_t n) {
  ForwardBuffers& buffers = context.buffers;
  const int64_t top_k = context.model.config.num_experts_per_token;
  std::vector<int32_t>& first = buffers.expert_first;
  std::fill(first.begin(), first.end(), 0);
  const auto count = static_cast<size_t>(n * top_k);
  for (size_t pair = 0; pair < count; ++pair) {
    ++first[static_cast<size_t>(buffers.route_ids[pair]) + 1];
  }
  for (size_t e = 1; e < first.size(); ++e) first[e] += first[e - 1];
  std::copy(first.begin(), first.end(), buffers.expert_next.begin());
  for (size_t pair = 0; pair < count; ++pair) {
    const int32_t slot = buffers.expert_next[static_cast<size_t>(buffers.route_ids[pair])]++;
    buffers.pair_slot[pair] = slot;
    buffers.slot_token[static_cast<size_t>(slot)] =
        static_cast<int32_t>(static_cast<int64_t>(pair) / top_k);
  }
}

// Runs `weights_of(expert)` matrices over the experts that have tokens: out[slot] = W_expert * row.
//   from_tokens : rows are the tokens of x [n, cols] that chose the expert; else the slots
//   themselves.
struct ExpertPass {
  MatrixView MlpWeights::*matrix;
  float* out;
};

void experts_multiply(const ForwardContext& context, const MoeWeights& weights, const float* x,
                      int64_t rows, bool from_tokens, std::span<const ExpertPass> passes) {
  ForwardBuffers& buffers = context.buffers;
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  ActivationForms forms;
  int64_t cols = 0;
  buffers.jobs.clear();
  for (size_t e = 0; e < weights.experts.size(); ++e) {
    const int64_t first = buffers.expert_first[e];
    const int64_t count = buffers.expert_first[e + 1] - first;
    if (count == 0) continue;
    const float* gathered = nullptr;  // The expert's rows side by side, for row-major weights.
    for (const ExpertPass& pass : passes) {
      const MatrixView& w = weights.experts[e].*pass.matrix;
      cols = w.cols;
      float* out = pass.out + first * w.rows;
      if (kernels::is_tiled(w.dtype)) {
        kernels::TileJob job = tile_job(context, w, count, out);
        if (from_tokens) {
          job.rows = buffers.slot_token.data() + first;
        } else {
          if (job.groups != nullptr) job.groups += first * (w.cols / kernels::kTileCols);
          if (job.bf16 != nullptr) job.bf16 += first * w.cols;
        }
        forms.add(w.dtype);
        buffers.jobs.push_back(job);
        continue;
      }
      if (gathered == nullptr) {
        gathered = from_tokens ? buffers.expert_in.data() : x + first * w.cols;
        if (from_tokens) {
          ops.gather_rows(parallel, x, buffers.slot_token.data() + first, count, w.cols,
                          buffers.expert_in.data());
        }
      }
      ops.matmul(parallel, w, gathered, count, out);
    }
  }
  if (buffers.jobs.empty()) return;
  round_activations(context, x, rows, cols, forms);
  ops.tile_matmul(parallel, buffers.jobs.data(), static_cast<int64_t>(buffers.jobs.size()));
}

void run_experts(const ForwardContext& context, const MoeWeights& weights, const float* v,
                 int64_t n, float* out) {
  const ModelConfig& config = context.model.config;
  ForwardBuffers& buffers = context.buffers;
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  const int64_t slots = n * config.num_experts_per_token;
  float* gate = buffers.expert_gate.data();
  float* up = buffers.expert_up.data();
  const ExpertPass into[] = {{&MlpWeights::gate, gate}, {&MlpWeights::up, up}};
  experts_multiply(context, weights, v, n, /*from_tokens=*/true, into);
  ops.silu_multiply(parallel, gate, up, slots * config.intermediate_size);
  const ExpertPass back[] = {{&MlpWeights::down, buffers.expert_out.data()}};
  experts_multiply(context, weights, gate, slots, /*from_tokens=*/false, back);
  ops.combine_rows(parallel, buffers.expert_out.data(), buffers.pair_slot.data(),
                   buffers.route_weights.data(), n, config.num_experts_per_token,
                   config.hidden_size, out);
}

// One gated MLP over all rows of x; the result is in buffers.expert_out.
void run_mlp(const ForwardContext& context, const MlpWeights& mlp, const float* x, int64_t n) {
  ForwardBuffers& buffers = context.buffers;
  float* gate = buffers.expert_gate.data();
  float* up = buffers.expert_up.data();
  const Projection into[] = {{&mlp.gate, gate}, {&mlp.up, up}};
  project(context, x, n, into);
  context.device.ops().silu_multiply(context.device.parallel(), gate, up, n * mlp.gate.rows);
  const Projection back[] = {{&mlp.down, buffers.expert_out.data()}};
  project(context, gate, n, back);
}

}  // namespace

void moe_layer(const ForwardContext& context, int64_t layer, const float* v, int64_t n,
               float* out) {
  const MoeWeights& weights = context.model.weights.layers[static_cast<size_t>(layer)].moe;
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  ForwardBuffers& buffers = context.buffers;
  const int64_t width = context.model.config.hidden_size;

  route(context, layer, v, n);
  sort_slots(context, n);
  run_experts(context, weights, v, n, out);
  context.emit("moe_out", layer, out, n, width);
  if (!weights.has_shared) return;
  run_mlp(context, weights.shared, v, n);
  context.emit("shared_mlp_out", layer, buffers.expert_out.data(), n, width);
  ops.matmul(parallel, weights.shared_gate, v, n, buffers.shared_gate.data());
  ops.mix_shared(parallel, out, buffers.expert_out.data(), buffers.shared_gate.data(), n, width);
}

}  // namespace levin::engine
