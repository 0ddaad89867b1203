// The forward pass: tokens in, logits out, State advanced. One code path for prefill and decode;
// one token at a time takes the recurrent form of lightning attention inside the op.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "engine/model.h"
#include "engine/state.h"
#include "engine/tokenizer.h"

namespace levin::engine {

// Called with intermediate values, for tests and tools: name as in the golden files ("attn_in",
// "router_logits", "layer_out" ...), layer (-1: none), rows, width.
using TraceSink = std::function<void(std::string_view name, int64_t layer, const float* values,
                                     int64_t rows, int64_t width)>;

// Activations of one forward pass, sized once for `tokens_max` tokens.
struct ForwardBuffers {
  int64_t tokens_max = 0;
  kernels::DeviceBuffer hidden;         // [n, H]: the layer's input and output
  kernels::DeviceBuffer normed;         // [n, H]
  kernels::DeviceBuffer branch;         // [n, H]: output of a block before the residual
  kernels::DeviceBuffer qkv;            // [n, 3 h d], or q [n, h d], k, v [n, g d]
  kernels::DeviceBuffer mixed;          // [n, h d]: attention output
  kernels::DeviceBuffer gate;           // [n, h d]
  kernels::DeviceBuffer scratch;        // of either kind of attention
  kernels::DeviceBuffer router;         // [n, E]
  kernels::DeviceBuffer route_weights;  // [n, k]
  kernels::DeviceBuffer expert_in;      // [n, H]
  kernels::DeviceBuffer expert_gate;    // [n k, I]
  kernels::DeviceBuffer expert_up;      // [n k, I]
  kernels::DeviceBuffer expert_out;     // [n k, H]
  kernels::DeviceBuffer shared_gate;    // [n]
  std::vector<int32_t> route_ids;       // [n, k]
  // The pairs (token, rank) sorted by expert: slots expert_first[e] .. expert_first[e + 1] are e's.
  std::vector<int32_t> expert_first;   // [E + 1]
  std::vector<int32_t> expert_next;    // [E + 1], while sorting
  std::vector<int32_t> pair_slot;      // [n, k]
  std::vector<int32_t> slot_token;     // [n k]
  std::vector<kernels::TileJob> jobs;  // Capacity for all experts.
  // One op's input, rounded for tiled weights; empty where the model has none of that kind.
  kernels::DeviceBuffer int8_rows;  // QuantGroup of 16 floats: [n k, widest / 32]
  kernels::DeviceBuffer bf16_rows;  // uint16: [n k, widest]

  kernels::QuantGroup* groups() const {
    return reinterpret_cast<kernels::QuantGroup*>(int8_rows.data());
  }
  uint16_t* bf16() const { return reinterpret_cast<uint16_t*>(bf16_rows.data()); }

  static Result<ForwardBuffers> create(const Model& model, kernels::Device& device,
                                       int64_t tokens_max);
};

enum class LogitRows { kNone, kLast, kAll };

// Everything that one pass works on.
struct ForwardContext {
  const Model& model;
  kernels::Device& device;
  State& state;
  ForwardBuffers& buffers;
  const TraceSink& trace;  // May be empty.

  void emit(std::string_view name, int64_t layer, const float* values, int64_t rows,
            int64_t width) const {
    if (trace) trace(name, layer, values, rows, width);
  }
};

// Reads `tokens` (1 .. buffers.tokens_max ids, each < vocab_size) after those already in the state.
//   logits : [1, V] for kLast, [n, V] for kAll; untouched for kNone.
// Errors: kLimit when KV memory runs out; the state is then unchanged.
Result<void> forward(const ForwardContext& context, std::span<const TokenId> tokens, LogitRows rows,
                     float* logits);

}  // namespace levin::engine
