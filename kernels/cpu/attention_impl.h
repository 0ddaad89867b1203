// Softmax attention over pages of keys and values, and the rotary embedding.
#pragma once

#include "kernels/cpu/gemm_impl.h"

namespace levin::kernels {
namespace {

// Scores of one query against `count` keys of a page, turned into weights relative to a running
// maximum. Returns the new maximum; `weight_sum` and `out` are rescaled to it.
inline float attend_page(const AttentionArgs& args, const float* q, const float* k, const float* v,
                         int64_t count, float maximum, float* weight_sum, float* out) {
  const int64_t d = args.head_dim;
  const int64_t stride = args.num_kv_heads * d;
  float score[kAttentionPageMax];
  float page_maximum = -INFINITY;
  for (int64_t i = 0; i < count; ++i) {
    score[i] = dot(q, k + i * stride, d) * args.scale;
    page_maximum = score[i] > page_maximum ? score[i] : page_maximum;
  }
  const float next = page_maximum > maximum ? page_maximum : maximum;
  const float rescale = maximum == -INFINITY ? 0.0f : expf(maximum - next);
  map_in_place(score, count, [&](Vec s, int64_t) { return exp_vec(s - next); });
  float sum = *weight_sum * rescale;
  for (int64_t i = 0; i < count; ++i) sum += score[i];
  *weight_sum = sum;
  for (int64_t c = 0; c < d; ++c) out[c] *= rescale;
  add_product_rows<1>(score, 0, v, stride, out, 0, count, d);
  return next;
}

inline void attend(const AttentionArgs& args, int64_t token, int64_t head) {
  const int64_t d = args.head_dim;
  const int64_t kv_head = head / (args.num_heads / args.num_kv_heads);
  const float* q = args.q + (token * args.num_heads + head) * d;
  float* out = args.out + (token * args.num_heads + head) * d;
  for (int64_t c = 0; c < d; ++c) out[c] = 0;
  const int64_t visible = args.first_position + token + 1;
  float maximum = -INFINITY;
  float weight_sum = 0;
  for (int64_t page = 0; page * args.page_tokens < visible; ++page) {
    const int64_t left = visible - page * args.page_tokens;
    maximum =
        attend_page(args, q, args.k_pages[page] + kv_head * d, args.v_pages[page] + kv_head * d,
                    left < args.page_tokens ? left : args.page_tokens, maximum, &weight_sum, out);
  }
  for (int64_t c = 0; c < d; ++c) out[c] /= weight_sum;
}

inline void op_attention(const Parallel& parallel, const AttentionArgs& args) {
  const AttentionArgs copy = args;
  const int64_t visible = args.first_position + args.num_tokens;
  const int64_t grain = kWorkPerRange / (visible * args.head_dim * 2) + 1;
  parallel_for(parallel, args.num_tokens * args.num_heads, grain,
               [&](int64_t begin, int64_t end, int) {
                 for (int64_t item = begin; item < end; ++item) {
                   attend(copy, item / copy.num_heads, item % copy.num_heads);
                 }
               });
}

inline void op_rotary(const Parallel& parallel, const RotaryArgs& args) {
  const RotaryArgs copy = args;
  const int64_t half = args.rotary_dim / 2;
  const int64_t grain = 1024 / (half + 1) + 1;
  parallel_for(parallel, args.num_tokens, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t token = begin; token < end; ++token) {
      const float position = static_cast<float>(copy.first_position + token);
      float* heads = copy.x + token * copy.num_heads * copy.head_dim;
      for (int64_t c = 0; c < half; ++c) {
        const float angle = position * copy.inverse_freq[c];
        const float cosine = cosf(angle);
        const float sine = sinf(angle);
        for (int64_t h = 0; h < copy.num_heads; ++h) {
          float* x = heads + h * copy.head_dim;
          const float low = x[c];
          const float high = x[c + half];
          x[c] = low * cosine - high * sine;
          x[c + half] = high * cosine + low * sine;
        }
      }
    }
  });
}

}  // namespace
}  // namespace levin::kernels
