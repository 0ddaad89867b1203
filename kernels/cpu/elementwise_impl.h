// Norms, activations, sums, row moves and the router.
#pragma once

#include "kernels/cpu/vec.h"

namespace levin::kernels {
namespace {

constexpr int64_t kElementsPerRange = 1 << 14;

inline void op_embed(const Parallel&, const MatrixView& table, const int32_t* ids, int64_t n,
                     float* out) {
  const char* data = static_cast<const char*>(table.data);
  const int64_t cols = table.cols;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t c = 0; c < cols; ++c) {
      const int64_t at = ids[i] * cols + c;
      float& to = out[i * cols + c];
      if (table.dtype == DType::kF32) to = ReadF32::one(data + at * 4);
      if (table.dtype == DType::kBF16) to = ReadBF16::one(data + at * 2);
      if (table.dtype == DType::kF16) to = ReadF16::one(data + at * 2);
    }
  }
}

inline void op_rms_norm(const Parallel& parallel, const float* x, const float* weight, float eps,
                        int64_t n, int64_t width, float* out) {
  parallel_for(parallel, n, kElementsPerRange / width + 1, [=](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* from = x + row * width;
      float* to = out + row * width;
      const float mean = dot(from, from, width) / static_cast<float>(width);
      const float scale = 1.0f / sqrtf(mean + eps);
      for (int64_t c = 0; c < width; ++c) to[c] = weight[c] * (from[c] * scale);
    }
  });
}

inline void op_silu_multiply(const Parallel& parallel, float* gate, const float* up,
                             int64_t count) {
  parallel_for(parallel, count, kElementsPerRange, [=](int64_t begin, int64_t end, int) {
    map_in_place(gate + begin, end - begin, [=](Vec v, int64_t i) {
      return v * sigmoid_vec(v) * load_part(up + begin + i, end - begin - i);
    });
  });
}

inline void op_gated_norm(const Parallel& parallel, float* x, const float* weight, float eps,
                          const float* gate, int64_t n, int64_t width) {
  parallel_for(parallel, n, kElementsPerRange / width + 1, [=](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float* at = x + row * width;
      const float mean = dot(at, at, width) / static_cast<float>(width);
      const float scale = 1.0f / sqrtf(mean + eps);
      map_in_place(at, width, [=](Vec v, int64_t i) {
        const Vec opened = sigmoid_vec(load_part(gate + row * width + i, width - i));
        return load_part(weight + i, width - i) * (v * scale) * opened;
      });
    }
  });
}

inline void op_scaled_sum(const Parallel& parallel, const float* a, float alpha, const float* b,
                          float beta, int64_t count, float* out) {
  parallel_for(parallel, count, kElementsPerRange, [=](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) out[i] = a[i] * alpha + b[i] * beta;
  });
}

inline void route_token(const float* logits, int64_t num_experts, int64_t top_k, int32_t* ids,
                        float* weights) {
  float total = 0;
  for (int64_t rank = 0; rank < top_k; ++rank) {
    int64_t best = -1;
    for (int64_t e = 0; e < num_experts; ++e) {
      bool taken = false;
      for (int64_t earlier = 0; earlier < rank; ++earlier) taken = taken || ids[earlier] == e;
      if (!taken && (best < 0 || logits[e] > logits[best])) best = e;
    }
    ids[rank] = static_cast<int32_t>(best);
    // Dividing the chosen probabilities by their sum cancels the softmax's own denominator.
    weights[rank] = expf(logits[best] - logits[ids[0]]);
    total += weights[rank];
  }
  for (int64_t rank = 0; rank < top_k; ++rank) weights[rank] /= total;
}

inline void op_route(const Parallel& parallel, const RouteArgs& args) {
  const RouteArgs copy = args;
  parallel_for(parallel, args.num_tokens, 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      route_token(copy.logits + t * copy.num_experts, copy.num_experts, copy.top_k,
                  copy.ids + t * copy.top_k, copy.weights + t * copy.top_k);
    }
  });
}

inline void op_gather_rows(const Parallel&, const float* x, const int32_t* rows, int64_t n,
                           int64_t width, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    __builtin_memcpy(out + i * width, x + rows[i] * width,
                     static_cast<size_t>(width) * sizeof(float));
  }
}

inline void op_combine_rows(const Parallel& parallel, const float* x, const int32_t* slots,
                            const float* weights, int64_t n, int64_t top_k, int64_t width,
                            float* out) {
  const int64_t grain = kElementsPerRange / width + 1;
  parallel_for(parallel, n, grain, [=](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float* to = out + t * width;
      for (int64_t r = 0; r < top_k; ++r) {
        const float* from = x + slots[t * top_k + r] * width;
        const float weight = weights[t * top_k + r];
        map_in_place(to, width, [=](Vec sum, int64_t c) {
          const Vec product = load_part(from + c, width - c) * weight;
          return r == 0 ? product : sum + product;
        });
      }
    }
  });
}

inline void op_mix_shared(const Parallel&, float* moe, const float* shared, const float* gate,
                          int64_t n, int64_t width) {
  for (int64_t t = 0; t < n; ++t) {
    const float share = 1.0f / (1.0f + expf(-gate[t]));
    for (int64_t c = t * width; c < (t + 1) * width; ++c) {
      moe[c] = (1.0f - share) * moe[c] + share * shared[c];
    }
  }
}

}  // namespace
}  // namespace levin::kernels
