// Lightning attention, chunked and recurrent. Heads are independent and split over threads.
// Source: MiniMax-01 report, section 2.2; the exact definition is the recurrent form in ops.h.
#pragma once

#include "kernels/cpu/gemm_impl.h"

namespace levin::kernels {
namespace {

// One head's view of the fused q, k, v rows.
struct LightningHead {
  const float* q;  // + t * token_stride
  const float* k;
  const float* v;
  float* state;  // [head_dim, head_dim]
  float* out;    // + t * out_stride
  float slope_rate;
  int64_t token_stride;
  int64_t out_stride;
  int64_t head_dim;
};

inline LightningHead lightning_head(const LightningArgs& args, int64_t head) {
  const int64_t d = args.head_dim;
  LightningHead view;
  view.q = args.qkv + head * 3 * d;
  view.k = view.q + d;
  view.v = view.k + d;
  view.state = args.state + head * d * d;
  view.out = args.out + head * d;
  view.slope_rate = args.slope_rate[head];
  view.token_stride = args.num_heads * 3 * d;
  view.out_stride = args.num_heads * d;
  view.head_dim = d;
  return view;
}

// One token: decay, add k v^T and multiply by q in one pass over the state. The decay is applied as
// S + S * (decay - 1): for slow heads decay - 1 keeps more digits than decay itself, and the error
// does not grow with the number of steps.
inline void lightning_recurrent(const LightningHead& head) {
  const int64_t d = head.head_dim;
  const float change = expm1f(-head.slope_rate);
  int64_t column = 0;
  for (; column + kLanes <= d; column += kLanes) {
    const Vec value = load(head.v + column);
    Vec sum{};
    float* cell = head.state + column;
    for (int64_t row = 0; row < d; ++row, cell += d) {
      const Vec last = load(cell);
      const Vec next = last + (last * change + head.k[row] * value);
      store(cell, next);
      sum += head.q[row] * next;
    }
    store(head.out + column, sum);
  }
  for (; column < d; ++column) {
    float sum = 0;
    for (int64_t row = 0; row < d; ++row) {
      float& cell = head.state[row * d + column];
      cell += cell * change + head.k[row] * head.v[column];
      sum += head.q[row] * cell;
    }
    head.out[column] = sum;
  }
}

// A block of m <= kLightningBlock tokens that begins at token `first`:
//   out_t = decay^(t+1) q_t S + sum_{j<=t} decay^(t-j) (q_t k_j) v_j
//   S     = decay^m S + sum_j decay^(m-1-j) k_j v_j^T
inline void lightning_block(const LightningHead& head, int64_t first, int64_t m, float* scratch) {
  const int64_t d = head.head_dim;
  float* power = scratch;                                      // [m + 1]: decay^i
  float* score = power + kLightningBlock + 1;                  // [m, m], lower triangle
  float* q_decay = score + kLightningBlock * kLightningBlock;  // [m, d]
  float* k_decay = q_decay + kLightningBlock * d;              // [d, m], transposed
  const float* q = head.q + first * head.token_stride;
  const float* k = head.k + first * head.token_stride;
  const float* v = head.v + first * head.token_stride;
  float* out = head.out + first * head.out_stride;
  // All exponents are <= 0: strong heads underflow to 0 far back in a block, which is harmless.
  for (int64_t i = 0; i <= m; ++i) power[i] = expf(-head.slope_rate * static_cast<float>(i));
  for (int64_t t = 0; t < m; ++t) {
    const float* q_row = q + t * head.token_stride;
    for (int64_t j = 0; j <= t; ++j) {
      score[t * m + j] = power[t - j] * dot(q_row, k + j * head.token_stride, d);
    }
    for (int64_t j = t + 1; j < m; ++j) score[t * m + j] = 0;
    for (int64_t c = 0; c < d; ++c) {
      q_decay[t * d + c] = q_row[c] * power[t + 1];
      k_decay[c * m + t] = k[t * head.token_stride + c] * power[m - 1 - t];
      out[t * head.out_stride + c] = 0;
    }
  }
  add_product(q_decay, d, head.state, d, out, head.out_stride, m, d, d);
  add_product(score, m, v, head.token_stride, out, head.out_stride, m, m, d);
  map_in_place(head.state, d * d, [&](Vec s, int64_t) { return s * power[m]; });
  add_product(k_decay, m, v, head.token_stride, head.state, d, d, m, d);
}

inline void op_lightning_attention(const Parallel& parallel, const LightningArgs& args) {
  const LightningArgs copy = args;
  const int64_t scratch_stride = lightning_scratch_floats(args.head_dim);
  const int64_t work = args.num_tokens * args.head_dim * args.head_dim * 2;
  const int64_t grain = kWorkPerRange / work + 1;
  parallel_for(parallel, args.num_heads, grain, [&](int64_t begin, int64_t end, int worker) {
    float* scratch = copy.scratch + worker * scratch_stride;
    for (int64_t h = begin; h < end; ++h) {
      const LightningHead head = lightning_head(copy, h);
      if (copy.num_tokens == 1) {
        lightning_recurrent(head);
        continue;
      }
      for (int64_t first = 0; first < copy.num_tokens; first += kLightningBlock) {
        const int64_t left = copy.num_tokens - first;
        lightning_block(head, first, left < kLightningBlock ? left : kLightningBlock, scratch);
      }
    }
  });
}

}  // namespace
}  // namespace levin::kernels
