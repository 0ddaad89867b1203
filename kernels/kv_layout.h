// Where the keys and values of softmax attention lie: pages of kKvPageTokens tokens, a page by KV
// head, a head in steps of 64 tokens, each step its keys and then its values. One head of a step is
// what a kernel works on at a time, and a thread that walks a head reads memory in one line.
//   keys of a step   [dim pair][64 tokens][2 dims]: lanes are tokens, no horizontal sums; a pair is
//                    what one bf16 dot instruction takes
//   values of a step [token pair][dims][2 tokens]: lanes are dims
// Float32 keeps the same order without the pairs: keys [dim][64 tokens], values [token][dims]. Dims
// are padded with zeros to a multiple of 16, so that no vector is cut. POD only, as tensor_view.h.
#pragma once

#include "kernels/tensor_view.h"

namespace levin::kernels {

// 4 KV heads of 128 dims in bf16 make it 2 MiB, a huge page.
constexpr int64_t kKvPageTokens = 1024;
constexpr int64_t kKvStep = 64;
constexpr int64_t kKvChunk = 64;

struct KvLayout {
  DType dtype = DType::kF32;  // kF32 or kBF16.
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;

  constexpr int64_t padded_dim() const { return (head_dim + 15) / 16 * 16; }
  // Elements of one head's keys (or values) of a step, of a step, of a head's page, of a page.
  constexpr int64_t half_step() const { return kKvStep * padded_dim(); }
  constexpr int64_t step() const { return 2 * half_step(); }
  constexpr int64_t head_page() const { return kKvPageTokens / kKvStep * step(); }
  constexpr int64_t page() const { return num_kv_heads * head_page(); }
  constexpr int64_t page_bytes() const { return page() * static_cast<int64_t>(dtype_size(dtype)); }

  // Index within the page of one element; token is the place in the page.
  constexpr int64_t key_at(int64_t head, int64_t token, int64_t dim) const {
    const int64_t base = head * head_page() + token / kKvStep * step();
    const int64_t place = token % kKvStep;
    if (dtype == DType::kF32) return base + dim * kKvStep + place;
    return base + dim / 2 * 2 * kKvStep + place * 2 + dim % 2;
  }
  constexpr int64_t value_at(int64_t head, int64_t token, int64_t dim) const {
    const int64_t base = head * head_page() + token / kKvStep * step() + half_step();
    const int64_t place = token % kKvStep;
    const int64_t chunk = base + dim / kKvChunk * kKvChunk * kKvStep;
    const int64_t width = chunk_width(dim / kKvChunk * kKvChunk);
    if (dtype == DType::kF32) return chunk + place * width + dim % kKvChunk;
    return chunk + place / 2 * 2 * width + dim % kKvChunk * 2 + place % 2;
  }

  // Dims of the chunk of values that begins at `dim`.
  constexpr int64_t chunk_width(int64_t dim) const {
    const int64_t left = padded_dim() - dim;
    return left < kKvChunk ? left : kKvChunk;
  }
};

// To bfloat16, to nearest even; NaN stays NaN.
inline uint16_t to_bf16(float value) {
  uint32_t wide;
  __builtin_memcpy(&wide, &value, sizeof wide);
  if ((wide & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(wide >> 16 | 0x40);
  return static_cast<uint16_t>((wide + 0x7fffu + (wide >> 16 & 1)) >> 16);
}

inline float from_bf16(uint16_t half) {
  const uint32_t wide = static_cast<uint32_t>(half) << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}

}  // namespace levin::kernels
