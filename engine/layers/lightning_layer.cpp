#include "engine/layers/layers.h"
#include "engine/layers/linear.h"

namespace levin::engine {

void lightning_layer(const ForwardContext& context, int64_t layer, const float* u, int64_t n,
                     float* out) {
  const ModelConfig& config = context.model.config;
  const LightningWeights& weights =
      context.model.weights.layers[static_cast<size_t>(layer)].lightning;
  const kernels::Ops& ops = context.device.ops();
  const kernels::Parallel& parallel = context.device.parallel();
  ForwardBuffers& buffers = context.buffers;
  const int64_t width = config.attention_size();

  const Projection into[] = {{&weights.qkv, buffers.qkv.data()},
                             {&weights.output_gate, buffers.gate.data()}};
  project(context, u, n, into);
  kernels::LightningArgs args;
  args.qkv = buffers.qkv.data();
  args.decay_powers = weights.decay_powers.data();
  args.state = context.state.linear[static_cast<size_t>(layer)].data();
  args.journal = context.state.journal[static_cast<size_t>(layer)].data();
  args.out = buffers.mixed.data();
  args.scratch = buffers.scratch.data();
  args.num_tokens = n;
  args.num_heads = config.num_heads;
  args.head_dim = config.head_dim;
  args.first_position = context.state.num_tokens;
  ops.lightning_attention(parallel, args);
  context.emit("lightning_raw", layer, buffers.mixed.data(), n, width);
  if (context.trace) {  // q, k and v have been read: their buffer may show what the next op fuses.
    ops.rms_norm(parallel, buffers.mixed.data(), weights.norm.data(), config.linear_norm_eps, n,
                 width, buffers.qkv.data());
    context.emit("lightning_normed", layer, buffers.qkv.data(), n, width);
  }
  // One norm over all heads together; the gate comes from the layer's input, after the norm.
  ops.gated_norm(parallel, buffers.mixed.data(), weights.norm.data(), config.linear_norm_eps,
                 buffers.gate.data(), n, width);
  const Projection back[] = {{&weights.out, out}};
  project(context, buffers.mixed.data(), n, back);
}

}  // namespace levin::engine
