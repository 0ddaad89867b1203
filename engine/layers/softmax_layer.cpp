#include <cmath>

#include "engine/layers/layers.h"
#include "engine/layers/linear.h"

namespace levin::engine {
namespace {

void rotate(const ForwardContext& context, float* x, int64_t n, int64_t num_heads) {
  const ModelConfig& config = context.model.config;
  if (config.rotary_dim == 0) return;
  kernels::RotaryArgs args;
  args.x = x;
  args.inverse_freq = context.model.inverse_freq.data();
  args.num_tokens = n;
  args.num_heads = num_heads;
  args.head_dim = config.head_dim;
  args.rotary_dim = config.rotary_dim;
  args.first_position = context.state.num_tokens;
  context.device.ops().rotary(context.device.parallel(), args);
}

void write_cache(const ForwardContext& context, const KvCache& cache, const float* k,
                 const float* v, int64_t n) {
  kernels::KvWriteArgs args;
  args.k = k;
  args.v = v;
  args.pages = cache.pages();
  args.layout = cache.layout();
  args.num_tokens = n;
  args.first_position = context.state.num_tokens;
  context.device.ops().kv_write(context.device.parallel(), args);
}

}  // namespace

void softmax_layer(const ForwardContext& context, int64_t layer, const float* u, int64_t n,
                   float* out) {
  const ModelConfig& config = context.model.config;
  const SoftmaxWeights& weights = context.model.weights.layers[static_cast<size_t>(layer)].softmax;
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  ForwardBuffers& buffers = context.buffers;
  const KvCache& cache = context.state.kv[static_cast<size_t>(layer)];
  float* q = buffers.qkv.data();  // Holds three times as many heads: room for k and v as well.
  float* k = q + n * config.num_heads * config.head_dim;
  float* v = k + n * config.num_kv_heads * config.head_dim;

  const Projection into[] = {{&weights.q, q}, {&weights.k, k}, {&weights.v, v}};
  project(context, u, n, into);
  rotate(context, q, n, config.num_heads);
  rotate(context, k, n, config.num_kv_heads);  // Keys are cached after rotation.
  write_cache(context, cache, k, v, n);
  kernels::AttentionArgs args;
  args.q = q;
  args.pages = cache.pages();
  args.out = buffers.mixed.data();
  args.scratch = buffers.scratch.data();
  args.layout = cache.layout();
  args.num_tokens = n;
  args.num_heads = config.num_heads;
  args.first_position = context.state.num_tokens;
  args.scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  ops.attention(parallel, args);
  const Projection back[] = {{&weights.out, out}};
  project(context, buffers.mixed.data(), n, back);
}

}  // namespace levin::engine
