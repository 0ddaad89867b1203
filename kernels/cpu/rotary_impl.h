// The rotary embedding, and writing keys and values into their cache pages.
#pragma once

#include "kernels/cpu/gemm_impl.h"

namespace levin::kernels {
namespace {

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

inline void kv_put(float* to, float value) {
  *to = value;
}
inline void kv_put(uint16_t* to, float value) {
  *to = to_bf16(value);
}

// One token's row of one head. Elements of a key lie a fixed distance apart, in pairs.
template <typename Stored>
inline void kv_write_row(const KvLayout& layout, Stored* page, int64_t head, int64_t place,
                         const float* k, const float* v, bool clear_partner) {
  Stored* keys = page + layout.key_at(head, place, 0);
  const int64_t key_stride = layout.key_at(0, 0, 2);
  const int64_t odd_key = layout.key_at(0, 0, 1);
  for (int64_t c = 0; c < layout.head_dim; ++c) {
    kv_put(keys + c / 2 * key_stride + c % 2 * odd_key, k[c]);
  }
  for (int64_t first = 0; first < layout.head_dim; first += kKvChunk) {
    Stored* values = page + layout.value_at(head, place, first);
    Stored* partner = page + layout.value_at(head, place | 1, first);
    const int64_t stride = layout.value_at(0, 0, 1) - layout.value_at(0, 0, 0);
    const int64_t left = layout.head_dim - first;
    for (int64_t c = 0; c < left && c < kKvChunk; ++c) {
      kv_put(values + c * stride, v[first + c]);
      if (clear_partner) kv_put(partner + c * stride, 0.0f);
    }
  }
}

inline void op_kv_write(const Parallel& parallel, const KvWriteArgs& args) {
  const KvWriteArgs copy = args;
  const int64_t width = args.layout.num_kv_heads * args.layout.head_dim;
  parallel_for(
      parallel, args.num_tokens, (1 << 12) / width + 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t) {
          const int64_t position = copy.first_position + t;
          void* page = copy.pages[position / kKvPageTokens];
          const int64_t place = position % kKvPageTokens;
          const bool clear = t + 1 == copy.num_tokens && place % 2 == 0;
          for (int64_t head = 0; head < copy.layout.num_kv_heads; ++head) {
            const int64_t from = t * width + head * copy.layout.head_dim;
            const float* k = copy.k + from;
            const float* v = copy.v + from;
            if (copy.layout.dtype == DType::kF32) {
              kv_write_row(copy.layout, static_cast<float*>(page), head, place, k, v, clear);
            } else {
              kv_write_row(copy.layout, static_cast<uint16_t*>(page), head, place, k, v, clear);
            }
          }
        }
      });
}

}  // namespace
}  // namespace levin::kernels
