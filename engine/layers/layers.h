// The blocks of a decoder layer. Each reads `u` [n, H] (normed input), writes `out` [n, H] and
// calls ops only. The state's num_tokens is the position of the first token; forward() moves it on.
#pragma once

#include "engine/forward.h"

namespace levin::engine {

// Lightning attention with inner norm and output gate; advances the layer's linear state.
void lightning_layer(const ForwardContext& context, int64_t layer, const float* u, int64_t n,
                     float* out);

// Softmax attention with partial rotary; the caller has reserved the KV cache for n more tokens.
void softmax_layer(const ForwardContext& context, int64_t layer, const float* u, int64_t n,
                   float* out);

// Router, experts and the shared expert where the model has one.
void moe_layer(const ForwardContext& context, int64_t layer, const float* v, int64_t n, float* out);

}  // namespace levin::engine
