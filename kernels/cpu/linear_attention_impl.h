// Lightning attention in block form. Heads are independent and split over threads.
// Source: MiniMax-01 report, section 2.2; the exact definition is the recurrent form in ops.h.
#pragma once

#include "kernels/cpu/gemm_impl.h"

namespace levin::kernels {
namespace {

// One head's part of the arguments.
struct LightningHead {
  const float* qkv;      // q of token 0; k and v follow it
  const float* power;    // [kLightningBlock + 1]
  float* state;          // [head_dim, head_dim]
  float* journal_k;      // [kLightningBlock, head_dim]
  float* journal_v;
  float* out;            // of token 0
  int64_t qkv_stride;    // from token to token
  int64_t out_stride;
  int64_t head_dim;
};

inline LightningHead lightning_head(const LightningArgs& args, int64_t head) {
  const int64_t d = args.head_dim;
  LightningHead view;
  view.qkv = args.qkv + head * 3 * d;
  view.power = args.decay_powers + head * (kLightningBlock + 1);
  view.state = args.state + head * d * d;
  view.journal_k = args.journal + head * 2 * kLightningBlock * d;
  view.journal_v = view.journal_k + kLightningBlock * d;
  view.out = args.out + head * d;
  view.qkv_stride = args.num_heads * 3 * d;
  view.out_stride = args.num_heads * d;
  view.head_dim = d;
  return view;
}

// The block is full: S = decay^m S + sum_j decay^(m-1-j) k_j v_j^T with m = kLightningBlock.
inline void lightning_advance(const LightningHead& head, float* scratch) {
  constexpr int64_t m = kLightningBlock;
  const int64_t d = head.head_dim;
  float* k_decay = scratch;  // [d, m], transposed
  for (int64_t j = 0; j < m; ++j) {
    const float weight = head.power[m - 1 - j];
    for (int64_t c = 0; c < d; ++c) k_decay[c * m + j] = head.journal_k[j * d + c] * weight;
  }
  const float decay = head.power[m];
  map_in_place(head.state, d * d, [=](Vec s, int64_t) { return s * decay; });
  add_product(k_decay, m, head.journal_v, d, head.state, d, d, m, d);
}

// `count` tokens of one block, the first at place `begin` of it (begin + count <= kLightningBlock):
//   out_t = decay^(t+1) q_t S + sum_{j<=t} decay^(t-j) (q_t k_j) v_j
// Each output row is summed in the same order whatever `count` is.
inline void lightning_block(const LightningHead& head, int64_t begin, int64_t count, float* scratch) {
  const int64_t d = head.head_dim;
  const int64_t end = begin + count;
  float* score = scratch;                                      // [count, end]
  float* q_decay = scratch + kLightningBlock * kLightningBlock;  // [count, d]
  for (int64_t i = 0; i < count; ++i) {
    const float* q = head.qkv + i * head.qkv_stride;
    for (int64_t c = 0; c < d; ++c) {
      head.journal_k[(begin + i) * d + c] = q[d + c];
      head.journal_v[(begin + i) * d + c] = q[2 * d + c];
      q_decay[i * d + c] = q[c] * head.power[begin + i + 1];
      head.out[i * head.out_stride + c] = 0;
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    const float* q = head.qkv + i * head.qkv_stride;
    const int64_t t = begin + i;
    for (int64_t j = 0; j <= t; ++j) {
      score[i * end + j] = head.power[t - j] * dot(q, head.journal_k + j * d, d);
    }
    for (int64_t j = t + 1; j < end; ++j) score[i * end + j] = 0;
  }
  add_product(q_decay, d, head.state, d, head.out, head.out_stride, count, d, d);
  add_product(score, end, head.journal_v, d, head.out, head.out_stride, count, end, d);
}

inline void lightning_tokens(LightningHead head, int64_t first_position, int64_t num_tokens,
                             float* scratch) {
  int64_t begin = first_position % kLightningBlock;
  while (num_tokens > 0) {
    const int64_t room = kLightningBlock - begin;
    const int64_t count = num_tokens < room ? num_tokens : room;
    lightning_block(head, begin, count, scratch);
    if (begin + count == kLightningBlock) lightning_advance(head, scratch);
    head.qkv += count * head.qkv_stride;
    head.out += count * head.out_stride;
    num_tokens -= count;
    begin = 0;
  }
}

inline void op_lightning_attention(const Parallel& parallel, const LightningArgs& args) {
  const LightningArgs copy = args;
  const int64_t scratch_stride = lightning_scratch_floats(args.head_dim);
  const int64_t work = args.num_tokens * args.head_dim * args.head_dim * 2;
  const int64_t grain = kWorkPerRange / work + 1;
  parallel_for(parallel, args.num_heads, grain, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t h = begin; h < end; ++h) {
      lightning_tokens(lightning_head(copy, h), copy.first_position, copy.num_tokens,
                       copy.scratch + worker * scratch_stride);
    }
  });
}

}  // namespace
}  // namespace levin::kernels
