// Lightning attention in block form. Heads are independent and split over threads. Decode is one
// row of the same sums as prefill: a pass over the journal's keys, one over the state, one over the
// journal's values.
// Source: MiniMax-01 report, section 2.2; the exact definition is the recurrent form in ops.h.
#pragma once

#include "kernels/cpu/product_impl.h"

namespace levin::kernels {
namespace {

// One head's part of the arguments.
struct LightningHead {
  const float* qkv;    // q of token 0; k and v follow it
  const float* power;  // [kLightningBlock + 1]
  float* state;        // [head_dim, head_dim]
  float* journal_k;    // [kLightningBlock, head_dim]
  float* journal_v;
  float* out;          // of token 0
  int64_t qkv_stride;  // from token to token
  int64_t out_stride;
  int64_t head_dim;
  bool is_last;  // The next head is not this thread's: another may be writing there.
};

// `end`: of the heads that this thread goes through.
inline LightningHead lightning_head(const LightningArgs& args, int64_t head, int64_t end) {
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
  view.is_last = head + 1 == end;
  return view;
}

// One worker's memory, lightning_scratch_floats() in all.
struct LightningScratch {
  float* score;    // [kLightningBlock, kLightningBlock]
  float* q;        // [kLightningBlock, head_dim], silu applied
  float* q_decay;  // [kLightningBlock, head_dim]; v_decay when the state moves on
  float* rising;   // [kLightningBlock]: the powers from the last to the first
};

// The block is full: S = decay^m S + sum_j k_j (decay^(m-1-j) v_j)^T with m = kLightningBlock.
inline void lightning_advance(const LightningHead& head, const LightningScratch& scratch) {
  constexpr int64_t m = kLightningBlock;
  const int64_t d = head.head_dim;
  float* v_decay = scratch.q_decay;
  for (int64_t j = 0; j < m; ++j) {
    const float weight = head.power[m - 1 - j];
    for (int64_t c = 0; c < d; ++c) v_decay[j * d + c] = head.journal_v[j * d + c] * weight;
  }
  // K is read down its columns: a row of the product is a dim of the keys.
  add_product({head.journal_k, 1, d}, v_decay, d, head.state, d, {d, m, d}, head.power[m]);
}

// Takes `count` tokens into the journal and the scratch, silu applied to q, k and v.
inline void lightning_take(const LightningHead& head, int64_t begin, int64_t count,
                           const LightningScratch& scratch) {
  const int64_t d = head.head_dim;
  for (int64_t i = 0; i < count; ++i) {
    const float* from = head.qkv + i * head.qkv_stride;
    float* to[3] = {scratch.q + i * d, head.journal_k + (begin + i) * d,
                    head.journal_v + (begin + i) * d};
    const float decay = head.power[begin + i + 1];
    for (int64_t part = 0; part < 3; ++part) {
      for (int64_t c = 0; c < d; c += kLanes) {
        const Vec x = load_part(from + part * d + c, d - c);
        const Vec y = x * sigmoid_vec(x);
        store_part(to[part] + c, y, d - c);
        if (part == 0) store_part(scratch.q_decay + i * d + c, y * decay, d - c);
      }
    }
  }
}

// One row of scores times its decays: power[t - j] for j = 0 .. t, and zeros behind, as far as rows
// that are summed with it look.
inline void lightning_decay(const LightningScratch& scratch, int64_t t, float* score) {
  const float* power = scratch.rising + kLightningBlock - 1 - t;
  for (int64_t j = 0; j <= t; j += kLanes) {
    store_part(score + j, load_part(score + j, t + 1 - j) * load_part(power + j, t + 1 - j),
               t + 1 - j);
  }
  for (int64_t j = t + 1; j < t + kProductRows && j < kLightningBlock; ++j) score[j] = 0;
}

// decay^(t-j) (q_t k_j) of `count` tokens, four rows at a time.
inline void lightning_scores(const LightningHead& head, int64_t begin, int64_t count,
                             const LightningScratch& scratch) {
  const int64_t d = head.head_dim;
  for (int64_t i = 0; i < count;) {
    const int64_t rows = count - i >= 4 ? 4 : 1;
    float* score = scratch.score + i * kLightningBlock;
    const float* q = scratch.q + i * d;
    if (rows == 4) {
      dot_rows<4>(q, d, head.journal_k, d, score, kLightningBlock, begin + i + rows, d);
    } else {
      dot_row(q, head.journal_k, score, begin + i + rows, d);
    }
    for (int64_t r = 0; r < rows; ++r) {
      lightning_decay(scratch, begin + i + r, score + r * kLightningBlock);
    }
    i += rows;
  }
}

// `count` tokens of one block, the first at place `begin` of it (begin + count <= kLightningBlock):
//   out_t = decay^(t+1) q_t S + sum_{j<=t} decay^(t-j) (q_t k_j) v_j
// Each output row is summed in the same order whatever `count` is.
inline void lightning_block(const LightningHead& head, int64_t begin, int64_t count,
                            const LightningScratch& scratch) {
  const int64_t d = head.head_dim;
  lightning_take(head, begin, count, scratch);
  lightning_scores(head, begin, count, scratch);
  add_product({scratch.q_decay, d, 1}, head.state, d, head.out, head.out_stride, {count, d, d}, 0);
  for (int64_t i = 0; i < count; i += kProductRows) {
    const int64_t rows = count - i < kProductRows ? count - i : kProductRows;
    add_product({scratch.score + i * kLightningBlock, kLightningBlock, 1}, head.journal_v, d,
                head.out + i * head.out_stride, head.out_stride, {rows, begin + i + rows, d}, 1);
  }
}

// lightning_block of a single token, the same bits, in three walks through memory: keys of the
// journal, state, values of the journal. Each begins the next one's streams, the last those of the
// keys of the head after this.
inline void lightning_step(const LightningHead& head, int64_t place,
                           const LightningScratch& scratch) {
  const int64_t d = head.head_dim;
  const int64_t row_bytes = d * static_cast<int64_t>(sizeof(float));
  lightning_take(head, place, 1, scratch);
  touch(head.state, d * row_bytes);
  dot_row(scratch.q, head.journal_k, scratch.score, place + 1, d);
  lightning_decay(scratch, place, scratch.score);
  touch(head.journal_v, (place + 1) * row_bytes);
  product_rows<1>({scratch.q_decay, d, 1}, head.state, d, head.out, 0, d, d, 0);
  // touch() may read: what it is given must be there, and nobody's to write.
  if (!head.is_last) touch(head.journal_k + 2 * kLightningBlock * d, (place + 1) * row_bytes);
  product_rows<1>({scratch.score, 0, 1}, head.journal_v, d, head.out, 0, place + 1, d, 1);
}

inline void lightning_tokens(LightningHead head, int64_t first_position, int64_t num_tokens,
                             const LightningScratch& scratch) {
  int64_t begin = first_position % kLightningBlock;
  while (num_tokens > 0) {
    const int64_t room = kLightningBlock - begin;
    const int64_t count = num_tokens < room ? num_tokens : room;
    if (count == 1) {
      lightning_step(head, begin, scratch);
    } else {
      lightning_block(head, begin, count, scratch);
    }
    if (begin + count == kLightningBlock) lightning_advance(head, scratch);
    head.qkv += count * head.qkv_stride;
    head.out += count * head.out_stride;
    num_tokens -= count;
    begin = 0;
  }
}

inline void op_lightning_attention(const Parallel& parallel, const LightningArgs& args) {
  const LightningArgs copy = args;
  const int64_t d = args.head_dim;
  const int64_t scratch_stride = lightning_scratch_floats(d);
  const int64_t work = args.num_tokens * d * d * 2;
  // A step's heads go to threads in runs, since each asks for the keys of the next.
  const int64_t run = args.num_tokens == 1 ? args.num_heads / (2 * parallel.num_workers) : 1;
  const int64_t grain = kWorkPerRange / work + (run > 1 ? run : 1);
  parallel_for(parallel, args.num_heads, grain, [&](int64_t begin, int64_t end, int worker) {
    float* at = copy.scratch + worker * scratch_stride;
    const LightningScratch scratch{at, at + kLightningBlock * kLightningBlock,
                                   at + kLightningBlock * (kLightningBlock + d),
                                   at + kLightningBlock * (kLightningBlock + 2 * d)};
    for (int64_t h = begin; h < end; ++h) {
      const LightningHead head = lightning_head(copy, h, end);
      for (int64_t i = 0; i < kLightningBlock; ++i) {
        scratch.rising[i] = head.power[kLightningBlock - 1 - i];
      }
      lightning_tokens(head, copy.first_position, copy.num_tokens, scratch);
    }
  });
}

}  // namespace
}  // namespace levin::kernels
