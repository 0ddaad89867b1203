// Plain scalar truth for every op, with sums in double. Never optimised: the fast tables are tested
// against it.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/ops.h"
#include "kernels/reference/tile_reference.h"

namespace levin::kernels {
namespace {

float widen(const MatrixView& w, int64_t index) {
  const char* at =
      static_cast<const char*>(w.data) + static_cast<size_t>(index) * dtype_size(w.dtype);
  if (w.dtype == DType::kF32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  uint16_t half;
  std::memcpy(&half, at, sizeof half);
  if (w.dtype == DType::kBF16) {
    const uint32_t wide = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
  const int exponent = (half >> 10) & 31;
  const double mantissa = half & 1023;
  const double sign = (half & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return static_cast<float>(mantissa != 0 ? NAN : sign * INFINITY);
  if (exponent == 0) return static_cast<float>(sign * std::ldexp(mantissa, -24));
  return static_cast<float>(sign * std::ldexp(1024 + mantissa, exponent - 25));
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

float silu(float x) {
  return static_cast<float>(x * sigmoid(x));
}

void embed(const Parallel&, const MatrixView& table, const int32_t* ids, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t c = 0; c < table.cols; ++c)
      out[i * table.cols + c] = widen(table, ids[i] * table.cols + c);
  }
}

void rms_norm(const Parallel&, const float* x, const float* weight, float eps, int64_t n,
              int64_t width, float* out) {
  for (int64_t row = 0; row < n; ++row) {
    double squares = 0;
    for (int64_t c = 0; c < width; ++c) squares += double{x[row * width + c]} * x[row * width + c];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + eps);
    for (int64_t c = 0; c < width; ++c) {
      out[row * width + c] = static_cast<float>(weight[c] * (x[row * width + c] * scale));
    }
  }
}

void matmul(const Parallel&, const MatrixView& w, const float* x, int64_t n, float* out) {
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t row = 0; row < w.rows; ++row) {
      double sum = 0;
      for (int64_t c = 0; c < w.cols; ++c)
        sum += double{widen(w, row * w.cols + c)} * x[t * w.cols + c];
      out[t * w.rows + row] = static_cast<float>(sum);
    }
  }
}

void silu_multiply(const Parallel&, float* gate, const float* up, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    gate[i] = static_cast<float>(gate[i] * sigmoid(gate[i]) * up[i]);
}

void gated_norm(const Parallel& parallel, float* x, const float* weight, float eps,
                const float* gate, int64_t n, int64_t width) {
  rms_norm(parallel, x, weight, eps, n, width, x);
  for (int64_t i = 0; i < n * width; ++i) x[i] = static_cast<float>(x[i] * sigmoid(gate[i]));
}

void scaled_sum(const Parallel&, const float* a, float alpha, const float* b, float beta,
                int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = a[i] * alpha + b[i] * beta;
}

void rotary(const Parallel&, const RotaryArgs& args) {
  const int64_t half = args.rotary_dim / 2;
  for (int64_t row = 0; row < args.num_tokens * args.num_heads; ++row) {
    const auto position = static_cast<float>(args.first_position + row / args.num_heads);
    float* x = args.x + row * args.head_dim;
    for (int64_t c = 0; c < half; ++c) {
      // The angle is rounded to float32 as in the published model, whose table is float32.
      const double angle = position * args.inverse_freq[c];
      const double low = x[c];
      const double high = x[c + half];
      x[c] = static_cast<float>(low * std::cos(angle) - high * std::sin(angle));
      x[c + half] = static_cast<float>(high * std::cos(angle) + low * std::sin(angle));
    }
  }
}

// Block form, spelled out: outputs from the block's start, state and journal as ops.h says.
void lightning_attention(const Parallel&, const LightningArgs& args) {
  const int64_t d = args.head_dim;
  for (int64_t item = 0; item < args.num_heads * args.num_tokens; ++item) {
    const int64_t head = item / args.num_tokens;
    const int64_t t = item % args.num_tokens;
    const int64_t place = (args.first_position + t) % kLightningBlock;
    const float* power = args.decay_powers + head * (kLightningBlock + 1);
    std::vector<float> q(args.qkv + (t * args.num_heads + head) * 3 * d,
                         args.qkv + (t * args.num_heads + head + 1) * 3 * d);
    for (float& x : q) x = silu(x);
    float* state = args.state + head * d * d;
    float* journal_k = args.journal + head * 2 * kLightningBlock * d;
    float* journal_v = journal_k + kLightningBlock * d;
    std::copy_n(q.data() + d, d, journal_k + place * d);
    std::copy_n(q.data() + 2 * d, d, journal_v + place * d);
    std::vector<double> weight(static_cast<size_t>(place + 1));
    for (int64_t j = 0; j <= place; ++j) {
      double score = 0;
      for (int64_t c = 0; c < d; ++c) score += double{q[static_cast<size_t>(c)]} * journal_k[j * d + c];
      weight[static_cast<size_t>(j)] = score * power[place - j];
    }
    for (int64_t column = 0; column < d; ++column) {
      double sum = 0;
      for (int64_t row = 0; row < d; ++row)
        sum += double{q[static_cast<size_t>(row)]} * power[place + 1] * state[row * d + column];
      for (int64_t j = 0; j <= place; ++j)
        sum += weight[static_cast<size_t>(j)] * journal_v[j * d + column];
      args.out[(t * args.num_heads + head) * d + column] = static_cast<float>(sum);
    }
    if (place + 1 < kLightningBlock) continue;
    for (int64_t cell = 0; cell < d * d; ++cell) {
      double sum = double{state[cell]} * power[kLightningBlock];
      for (int64_t j = 0; j < kLightningBlock; ++j) {
        sum += double{power[kLightningBlock - 1 - j]} * journal_k[j * d + cell / d] *
               journal_v[j * d + cell % d];
      }
      state[cell] = static_cast<float>(sum);
    }
  }
}

float kv_element(const KvLayout& layout, const void* page, int64_t index) {
  if (layout.dtype == DType::kF32) return static_cast<const float*>(page)[index];
  return from_bf16(static_cast<const uint16_t*>(page)[index]);
}

void kv_write(const Parallel&, const KvWriteArgs& args) {
  const KvLayout& layout = args.layout;
  const auto put = [&](void* page, int64_t index, float value) {
    if (layout.dtype == DType::kF32) static_cast<float*>(page)[index] = value;
    if (layout.dtype == DType::kBF16) static_cast<uint16_t*>(page)[index] = to_bf16(value);
  };
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    const int64_t position = args.first_position + t;
    void* page = args.pages[position / kKvPageTokens];
    const int64_t place = position % kKvPageTokens;
    for (int64_t head = 0; head < layout.num_kv_heads; ++head) {
      for (int64_t c = 0; c < layout.head_dim; ++c) {
        const int64_t from = (t * layout.num_kv_heads + head) * layout.head_dim + c;
        put(page, layout.key_at(head, place, c), args.k[from]);
        put(page, layout.value_at(head, place, c), args.v[from]);
        if (t + 1 == args.num_tokens && place % 2 == 0) {
          put(page, layout.value_at(head, place + 1, c), 0);
        }
      }
    }
  }
}

void attention(const Parallel&, const AttentionArgs& args) {
  const KvLayout& layout = args.layout;
  const int64_t d = layout.head_dim;
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    for (int64_t head = 0; head < args.num_heads; ++head) {
      const int64_t kv_head = head / (args.num_heads / layout.num_kv_heads);
      const float* q = args.q + (t * args.num_heads + head) * d;
      const int64_t visible = args.first_position + t + 1;
      std::vector<double> weight(static_cast<size_t>(visible));
      for (int64_t j = 0; j < visible; ++j) {
        const void* page = args.pages[j / kKvPageTokens];
        double score = 0;
        for (int64_t c = 0; c < d; ++c) {
          score += double{q[c]} *
                   kv_element(layout, page, layout.key_at(kv_head, j % kKvPageTokens, c));
        }
        weight[static_cast<size_t>(j)] = score * args.scale;
      }
      const double maximum = *std::max_element(weight.begin(), weight.end());
      double total = 0;
      for (double& w : weight) total += w = std::exp(w - maximum);
      for (int64_t c = 0; c < d; ++c) {
        double sum = 0;
        for (int64_t j = 0; j < visible; ++j) {
          sum += weight[static_cast<size_t>(j)] *
                 kv_element(layout, args.pages[j / kKvPageTokens],
                            layout.value_at(kv_head, j % kKvPageTokens, c));
        }
        args.out[(t * args.num_heads + head) * d + c] = static_cast<float>(sum / total);
      }
    }
  }
}

void route(const Parallel&, const RouteArgs& args) {
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    const float* logits = args.logits + t * args.num_experts;
    std::vector<int32_t> order(static_cast<size_t>(args.num_experts));
    for (size_t e = 0; e < order.size(); ++e) order[e] = static_cast<int32_t>(e);
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    double total = 0;
    for (int64_t rank = 0; rank < args.top_k; ++rank) {
      total += std::exp(double{logits[order[static_cast<size_t>(rank)]]} - logits[order[0]]);
    }
    for (int64_t rank = 0; rank < args.top_k; ++rank) {
      const int32_t id = order[static_cast<size_t>(rank)];
      args.ids[t * args.top_k + rank] = id;
      args.weights[t * args.top_k + rank] =
          static_cast<float>(std::exp(double{logits[id]} - logits[order[0]]) / total);
    }
  }
}

void gather_rows(const Parallel&, const float* x, const int32_t* rows, int64_t n, int64_t width,
                 float* out) {
  for (int64_t i = 0; i < n; ++i) std::copy_n(x + rows[i] * width, width, out + i * width);
}

void combine_rows(const Parallel&, const float* x, const int32_t* slots, const float* weights,
                  int64_t n, int64_t top_k, int64_t width, float* out) {
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t c = 0; c < width; ++c) {
      double sum = 0;
      for (int64_t pair = t * top_k; pair < (t + 1) * top_k; ++pair) {
        sum += double{weights[pair]} * x[slots[pair] * width + c];
      }
      out[t * width + c] = static_cast<float>(sum);
    }
  }
}

void mix_shared(const Parallel&, float* moe, const float* shared, const float* gate, int64_t n,
                int64_t width) {
  for (int64_t t = 0; t < n; ++t) {
    const double share = sigmoid(gate[t]);
    for (int64_t c = t * width; c < (t + 1) * width; ++c) {
      moe[c] = static_cast<float>((1 - share) * moe[c] + share * shared[c]);
    }
  }
}

// The slope rate behind a head's powers. The highest power that is no rounding of zero has the most
// digits of a small slope.
double slope_of(const LightningArgs& args, int64_t head) {
  const float* power = args.decay_powers + head * (kLightningBlock + 1);
  const int64_t i = power[kLightningBlock] > 1e-30f ? kLightningBlock : 1;
  return -std::log(double{power[i]}) / static_cast<double>(i);
}

}  // namespace

const Ops& reference_ops() {
  static const Ops kTable = [] {
    Ops ops;
    ops.name = "reference";
    ops.embed = embed;
    ops.rms_norm = rms_norm;
    ops.matmul = matmul;
    ops.silu_multiply = silu_multiply;
    ops.gated_norm = gated_norm;
    ops.scaled_sum = scaled_sum;
    ops.rotary = rotary;
    ops.lightning_attention = lightning_attention;
    ops.kv_write = kv_write;
    ops.attention = attention;
    ops.route = route;
    ops.gather_rows = gather_rows;
    ops.combine_rows = combine_rows;
    ops.mix_shared = mix_shared;
    set_reference_tile_ops(&ops);
    return ops;
  }();
  return kTable;
}

const Parallel& on_this_thread() {
  static const Parallel kSerial = [] {
    Parallel parallel;
    parallel.run = [](void*, int64_t count, int64_t, Parallel::Body body, void* argument) {
      if (count > 0) body(argument, 0, count, 0);
    };
    return parallel;
  }();
  return kSerial;
}

void lightning_attention_recurrent(const LightningArgs& args) {
  const int64_t d = args.head_dim;
  for (int64_t head = 0; head < args.num_heads; ++head) {
    const double decay = std::exp(-slope_of(args, head));
    std::vector<double> state(args.state + head * d * d, args.state + (head + 1) * d * d);
    for (int64_t t = 0; t < args.num_tokens; ++t) {
      std::vector<float> row_of_t(args.qkv + (t * args.num_heads + head) * 3 * d,
                                  args.qkv + (t * args.num_heads + head + 1) * 3 * d);
      for (float& x : row_of_t) x = silu(x);
      const float* q = row_of_t.data();
      for (int64_t column = 0; column < d; ++column) {
        double sum = 0;
        for (int64_t row = 0; row < d; ++row) {
          double& cell = state[static_cast<size_t>(row * d + column)];
          cell = cell * decay + double{q[d + row]} * q[2 * d + column];
          sum += q[row] * cell;
        }
        args.out[(t * args.num_heads + head) * d + column] = static_cast<float>(sum);
      }
    }
    for (int64_t i = 0; i < d * d; ++i) {
      args.state[head * d * d + i] = static_cast<float>(state[static_cast<size_t>(i)]);
    }
  }
}

void lightning_attention_naive(const LightningArgs& args) {
  const int64_t d = args.head_dim;
  for (int64_t head = 0; head < args.num_heads; ++head) {
    const double slope = slope_of(args, head);
    const float* state = args.state + head * d * d;
    std::vector<float> rows;  // [num_tokens, 3, d] of this head, silu applied
    for (int64_t t = 0; t < args.num_tokens; ++t) {
      const float* from = args.qkv + (t * args.num_heads + head) * 3 * d;
      for (int64_t c = 0; c < 3 * d; ++c) rows.push_back(silu(from[c]));
    }
    const auto row_of = [&](int64_t t) { return rows.data() + t * 3 * d; };
    for (int64_t t = 0; t < args.num_tokens; ++t) {
      std::vector<double> sum(static_cast<size_t>(d));
      const float* q = row_of(t);
      for (int64_t row = 0; row < d; ++row) {
        const double scaled = q[row] * std::exp(-slope * static_cast<double>(t + 1));
        for (int64_t c = 0; c < d; ++c) sum[static_cast<size_t>(c)] += scaled * state[row * d + c];
      }
      for (int64_t j = 0; j <= t; ++j) {
        const float* k = row_of(j) + d;
        const float* v = k + d;
        double score = 0;
        for (int64_t c = 0; c < d; ++c) score += double{q[c]} * k[c];
        score *= std::exp(-slope * static_cast<double>(t - j));
        for (int64_t c = 0; c < d; ++c) sum[static_cast<size_t>(c)] += score * v[c];
      }
      for (int64_t c = 0; c < d; ++c) {
        args.out[(t * args.num_heads + head) * d + c] =
            static_cast<float>(sum[static_cast<size_t>(c)]);
      }
    }
  }
}

}  // namespace levin::kernels
