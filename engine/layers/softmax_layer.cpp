#include <algorithm>
#include <cmath>

#include "engine/layers/layers.h"

namespace levin::engine {
namespace {

// Projects `u` straight into the cache rows of the new positions, page by page.
void project_to_cache(const ForwardContext& context, const MatrixView& weight, const float* u,
                      int64_t n, float* (KvCache::*row)(int64_t) const, const KvCache& cache) {
  const int64_t first = context.state.num_tokens;
  for (int64_t done = 0; done < n;) {
    const int64_t position = first + done;
    const int64_t count =
        std::min(n - done, KvCache::kPageTokens - position % KvCache::kPageTokens);
    context.device.ops().matmul(context.device.parallel(), weight, u + done * weight.cols, count,
                                (cache.*row)(position));
    done += count;
  }
}

void rotate(const ForwardContext& context, float* x, int64_t position, int64_t n,
            int64_t num_heads) {
  const ModelConfig& config = context.model.config;
  if (config.rotary_dim == 0) return;
  kernels::RotaryArgs args;
  args.x = x;
  args.inverse_freq = context.model.inverse_freq.data();
  args.num_tokens = n;
  args.num_heads = num_heads;
  args.head_dim = config.head_dim;
  args.rotary_dim = config.rotary_dim;
  args.first_position = position;
  context.device.ops().rotary(context.device.parallel(), args);
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
  const int64_t first = context.state.num_tokens;

  ops.matmul(parallel, weights.q, u, n, buffers.qkv.data());
  rotate(context, buffers.qkv.data(), first, n, config.num_heads);
  project_to_cache(context, weights.k, u, n, &KvCache::key_row, cache);
  project_to_cache(context, weights.v, u, n, &KvCache::value_row, cache);
  for (int64_t done = 0; done < n;) {  // Keys are cached after rotation.
    const int64_t count =
        std::min(n - done, KvCache::kPageTokens - (first + done) % KvCache::kPageTokens);
    rotate(context, cache.key_row(first + done), first + done, count, config.num_kv_heads);
    done += count;
  }
  kernels::AttentionArgs args;
  args.q = buffers.qkv.data();
  args.k_pages = cache.key_pages();
  args.v_pages = cache.value_pages();
  args.out = buffers.mixed.data();
  args.num_tokens = n;
  args.num_heads = config.num_heads;
  args.num_kv_heads = config.num_kv_heads;
  args.head_dim = config.head_dim;
  args.page_tokens = KvCache::kPageTokens;
  args.first_position = first;
  args.scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  ops.attention(parallel, args);
  ops.matmul(parallel, weights.out, buffers.mixed.data(), n, out);
}

}  // namespace levin::engine
