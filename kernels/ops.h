// The op table: everything a model computes, as plain functions on views. `Ops` is filled once per
// backend (reference, one per CPU instruction set, later CUDA); the engine calls through it and
// knows no backend. Ops allocate nothing and start no threads: work is split through `Parallel`.
// All activations are float32 and row-major; "[n, w]" gives a shape. n may be 0 nowhere.
#pragma once

#include <cstdint>

#include "kernels/kv_layout.h"
#include "kernels/tensor_view.h"

namespace levin::kernels {

// Splits [0, count) into ranges of about `grain` and runs body(argument, begin, end, worker) on
// each, on the caller and the pool's threads; returns when all are done. worker < num_workers.
struct Parallel {
  using Body = void (*)(void* argument, int64_t begin, int64_t end, int worker);
  void (*run)(void* self, int64_t count, int64_t grain, Body body, void* argument) = nullptr;
  void* self = nullptr;
  int num_workers = 1;
};

// Everything on the calling thread.
const Parallel& on_this_thread();

// Rotates dims 0..rotary_dim-1 of every head; half-split pairing: dim c goes with c + rotary_dim/2.
struct RotaryArgs {
  float* x;                   // [num_tokens, num_heads, head_dim], in place
  const float* inverse_freq;  // [rotary_dim / 2]: theta^(-2c/rotary_dim)
  int64_t num_tokens;
  int64_t num_heads;
  int64_t head_dim;
  int64_t rotary_dim;
  int64_t first_position;  // Absolute position of token 0.
};

// Tokens per block of lightning attention. Blocks lie on an absolute grid (positions 0, 64, 128
// ...), whatever way the tokens come, so that any split into calls makes the same sums, bit for
// bit. 64 keeps a block's scores and operands in the level-1 and level-2 caches at head_dim 128.
constexpr int64_t kLightningBlock = 64;

// Lightning attention: S_t = decay * S_{t-1} + k_t v_t^T, o_t = q_t^T S_t, decay =
// exp(-slope_rate), in block form. The state is S at the start of the current block plus a journal
// of the block's keys and values; S moves on only when a block is full. So a decode step reads S
// and writes none of it, and dropping tokens of the current block costs nothing.
// qkv holds q, k, v of one head side by side, [num_tokens, num_heads, 3, head_dim], as projected: the
// op applies silu to all three.
struct LightningArgs {
  const float* qkv;
  const float* decay_powers;  // [num_heads, kLightningBlock + 1]: exp(-slope_rate * i)
  float* state;               // [num_heads, head_dim (key), head_dim (value)] at the block's start
  float* journal;             // [num_heads, 2 (k, v), kLightningBlock, head_dim], in/out
  float* out;                 // [num_tokens, num_heads, head_dim]
  float* scratch;             // [num_workers, lightning_scratch_floats(head_dim)]
  int64_t num_tokens;
  int64_t num_heads;
  int64_t head_dim;
  int64_t first_position;  // Absolute position of token 0.
};

constexpr int64_t lightning_scratch_floats(int64_t head_dim) {
  return kLightningBlock * (kLightningBlock + 2 * head_dim + 1);
}

// Puts keys (rotated) and values of num_tokens tokens into their cache pages (kv_layout.h), rounded
// to the cache's type. Where the last token is the first of a pair, the value beside it becomes 0:
// no number of a dropped token is left where a kernel may read it.
struct KvWriteArgs {
  const float* k;  // [num_tokens, num_kv_heads, head_dim]
  const float* v;
  void* const* pages;  // Of the sequence from position 0; kKvPageTokens each.
  KvLayout layout;
  int64_t num_tokens;
  int64_t first_position;
};

// Causal softmax attention of num_tokens queries over a paged cache that already holds their keys.
// Query token i sees positions 0 .. first_position + i. Query head j reads kv head j / (heads/kv).
// A row's sums run over steps of kKvStep keys and sections of kAttentionSection on the absolute
// grid, so its bits depend neither on the other rows of the call nor on the threads.
struct AttentionArgs {
  const float* q;            // [num_tokens, num_heads, head_dim], rotated
  const void* const* pages;  // As in KvWriteArgs.
  float* out;                // [num_tokens, num_heads, head_dim]
  float* scratch;            // attention_scratch_floats()
  KvLayout layout;
  int64_t num_tokens;
  int64_t num_heads;
  int64_t first_position;
  float scale;  // 1 / sqrt(head_dim)
};

// Keys that one thread walks alone; partial results are merged in order. A page: 512 KiB in one line
// at 128 dims in bf16.
constexpr int64_t kAttentionSection = kKvPageTokens;
// Query rows of one KV head that share each loaded key.
constexpr int64_t kAttentionTileRows = 64;
// Calls of at most this many tokens are split by sections, longer ones by query rows.
constexpr int64_t kAttentionSplitTokens = 8;
// Sections in flight before their results are merged: bounds the scratch at any depth.
constexpr int64_t kAttentionRound = 32;

constexpr int64_t attention_scratch_floats(int64_t num_heads, int64_t head_dim, int num_workers) {
  const int64_t row = (head_dim + 15) / 16 * 16 + 2;
  return 3 * kAttentionTileRows * row * num_workers +
         (kAttentionRound + 1) * kAttentionSplitTokens * num_heads * row;
}

// Router: softmax over all experts in float32, the top_k largest (ties: lower index first), weights
// divided by their sum. Best expert first.
struct RouteArgs {
  const float* logits;  // [num_tokens, num_experts]
  int32_t* ids;         // [num_tokens, top_k]
  float* weights;       // [num_tokens, top_k]
  int64_t num_tokens;
  int64_t num_experts;
  int64_t top_k;
};

// 32 activations of one token as the int8 tile kernels read them: x = scale * q, rounded to
// nearest, scale = max|x| / 127. The sums let weights with an offset be multiplied as they are
// stored.
struct QuantGroup {
  int8_t q[32];
  float scale;
  float scaled_sum;      // scale * sum(q): for weights with a minimum
  int32_t bias_q4;       // -8 * sum(q)
  int32_t bias_q8;       // -128 * sum(q)
  int32_t bias_half[2];  // -128 * sum(q) of elements 0..15 and 16..31
  int32_t unused[2];
};
static_assert(sizeof(QuantGroup) == 64, "one cache line per group");

// One product of tile_matmul: out[i * out_stride + r] = row r of w times activation row rows[i].
struct TileJob {
  MatrixView w;                        // A tiled type.
  const QuantGroup* groups = nullptr;  // [*, w.cols / 32], for all types but kTileBF16
  const uint16_t* bf16 = nullptr;      // [*, w.cols], for kTileBF16
  const int32_t* rows = nullptr;       // [n]; null: row i is i.
  int64_t n = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
};

struct Ops {
  const char* name = nullptr;

  // out[n, table.cols] = rows of `table` named by ids (each < table.rows), widened to float32.
  void (*embed)(const Parallel&, const MatrixView& table, const int32_t* ids, int64_t n,
                float* out);
  // out = weight * x / sqrt(mean(x^2) + eps), one mean per row of [n, width]. May be in place.
  void (*rms_norm)(const Parallel&, const float* x, const float* weight, float eps, int64_t n,
                   int64_t width, float* out);
  // out[n, w.rows] = x[n, w.cols] * w^T, float32 accumulation. x and out may not overlap.
  void (*matmul)(const Parallel&, const MatrixView& w, const float* x, int64_t n, float* out);
  // Activations for tiled weights; cols is a multiple of 32. All instruction sets give the same
  // bits.
  void (*quantize_rows)(const Parallel&, const float* x, int64_t n, int64_t cols, QuantGroup* out);
  // Rounds to bfloat16, to nearest even.
  void (*round_rows)(const Parallel&, const float* x, int64_t count, uint16_t* out);
  // Runs all jobs as one loop over their panels, so that small products share one start and one
  // end. An output is summed over the columns in order, one group of 32 (bf16: one pair) after the
  // other, whatever n is: the same bits for one token as for many. No out may overlap another.
  void (*tile_matmul)(const Parallel&, const TileJob* jobs, int64_t num_jobs);
  // gate = silu(gate) * up
  void (*silu_multiply)(const Parallel&, float* gate, const float* up, int64_t count);
  // x = rms_norm(x) * sigmoid(gate), both [n, width]: what follows lightning attention.
  void (*gated_norm)(const Parallel&, float* x, const float* weight, float eps, const float* gate,
                     int64_t n, int64_t width);
  // out = a * alpha + b * beta. `out` may be a or b.
  void (*scaled_sum)(const Parallel&, const float* a, float alpha, const float* b, float beta,
                     int64_t count, float* out);
  void (*rotary)(const Parallel&, const RotaryArgs&);
  void (*lightning_attention)(const Parallel&, const LightningArgs&);
  void (*kv_write)(const Parallel&, const KvWriteArgs&);
  void (*attention)(const Parallel&, const AttentionArgs&);
  void (*route)(const Parallel&, const RouteArgs&);
  // out[i] = x[rows[i]], both with `width` columns.
  void (*gather_rows)(const Parallel&, const float* x, const int32_t* rows, int64_t n,
                      int64_t width, float* out);
  // out[t] = sum over r < top_k of weights[t * top_k + r] * x[slots[t * top_k + r]], in that order.
  void (*combine_rows)(const Parallel&, const float* x, const int32_t* slots, const float* weights,
                       int64_t n, int64_t top_k, int64_t width, float* out);
  // Shared expert: moe[t] = (1 - c) * moe[t] + c * shared[t], c = sigmoid(gate[t]).
  void (*mix_shared)(const Parallel&, float* moe, const float* shared, const float* gate, int64_t n,
                     int64_t width);
};

// Plain scalar truth (reference/ops_reference.cpp); never optimised.
const Ops& reference_ops();

// The defining forms of lightning attention, for tests. Both start from `state` (S just before
// token 0; journal and positions are not used). naive: every pair of tokens, state only read.
// recurrent: token by token, state advanced. Sums in double.
void lightning_attention_naive(const LightningArgs& args);
void lightning_attention_recurrent(const LightningArgs& args);

}  // namespace levin::kernels
