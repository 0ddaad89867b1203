// Rotary, lightning attention and the router of every instruction set against the reference table:
// block borders, far positions, ties. Softmax attention has softmax_attention_test.cpp.
#include "tests/kernels/kernel_testing.h"

namespace levin::kernels {
namespace {

const Parallel& serial() {
  static const Parallel none;  // The reference table never looks at it.
  return none;
}

class AttentionOpsTest : public DeviceTest {};

std::vector<float> inverse_freq_of(int64_t rotary_dim, double theta) {
  std::vector<float> freq;
  for (int64_t c = 0; c < rotary_dim / 2; ++c) {
    freq.push_back(static_cast<float>(
        std::pow(theta, -2.0 * static_cast<double>(c) / static_cast<double>(rotary_dim))));
  }
  return freq;
}

// The angle is the same float32 product in both; sine, cosine, two products and a sum: 4 roundings
// of |low| + |high| <= 2.
TEST_P(AttentionOpsTest, RotaryNearAndFar) {
  for (const int64_t head_dim : {2, 6, 16, 24, 33, 128}) {
    for (const int64_t rotary_dim : {int64_t{2}, head_dim / 4 * 2, head_dim / 2 * 2}) {
      for (const int64_t first : {int64_t{0}, int64_t{255}, int64_t{1000000}, int64_t{10240000}}) {
        const int64_t n = head_dim == 16 ? 301 : 3;
        Random random(static_cast<uint64_t>(head_dim * 100 + rotary_dim));
        Guarded x(random.floats(n * 3 * head_dim));
        const Guarded before = x;
        Guarded expected = x;
        const std::vector<float> freq = inverse_freq_of(rotary_dim, 1e7);
        RotaryArgs args{x.data(), freq.data(), n, 3, head_dim, rotary_dim, first};
        ops().rotary(parallel(), args);
        args.x = expected.data();
        reference_ops().rotary(serial(), args);
        expect_within(x, expected, std::vector<double>(x.size(), 8 * kEps), "rotary");
        for (size_t i = 0; i < x.size(); ++i) {
          const auto dim = static_cast<int64_t>(i) % head_dim;
          if (dim < rotary_dim) continue;
          ASSERT_EQ(x[i], before[i]) << "an unrotated dim changed";
        }
      }
    }
  }
}

// Rotated dot products depend on the distance of the positions alone: the half-split pairing,
// checked without a table. Angles of float32 at position 1e6 are off by up to 0.03 rad, so only
// near ones.
TEST_P(AttentionOpsTest, RotaryKeepsDotProductsOfEqualDistance) {
  const std::vector<float> freq = inverse_freq_of(8, 1e4);
  Random random(9);
  const std::vector<float> q = random.floats(8);
  const std::vector<float> k = random.floats(8);
  const auto product = [&](int64_t at, int64_t distance) {
    std::vector<float> a = q;
    std::vector<float> b = k;
    ops().rotary(parallel(), {a.data(), freq.data(), 1, 1, 8, 8, at + distance});
    ops().rotary(parallel(), {b.data(), freq.data(), 1, 1, 8, 8, at});
    double sum = 0;
    for (size_t c = 0; c < 8; ++c) sum += double{a[c]} * b[c];
    return sum;
  };
  for (const int64_t distance : {0, 1, 17}) {
    for (const int64_t at : {1, 5, 100}) {
      EXPECT_NEAR(product(at, distance), product(0, distance), 1e-5);
    }
  }
}

// silu far beyond both ends of float32's exponential stays finite and right.
TEST_P(AttentionOpsTest, LightningOfExtremeProjections) {
  constexpr float kEdges[] = {0.0f,  -0.0f,  1e4f,  -1e4f,  1e-30f, -1e-30f, 87.0f, -87.0f,
                              87.5f, -87.5f, 88.9f, -88.9f, 104.0f, -104.0f, 1e12f, -1e12f};
  constexpr int64_t kDim = std::size(kEdges);
  std::vector<float> qkv(3 * kDim, 1.0f);
  std::copy_n(kEdges, kDim, qkv.begin() + 2 * kDim);
  Guarded state(kDim * kDim);
  Guarded journal(2 * kLightningBlock * kDim);
  Guarded out(kDim);
  Guarded scratch(parallel().num_workers * lightning_scratch_floats(kDim));
  const std::vector<float> powers = decay_powers({0.1f});
  ops().lightning_attention(parallel(), {qkv.data(), powers.data(), state.data(), journal.data(),
                                         out.data(), scratch.data(), 1, 1, kDim, 0});
  for (int64_t c = 0; c < kDim; ++c) {
    const double x = kEdges[c];
    // The exponential stops at e^88, where the truth is 0.
    EXPECT_NEAR(journal[static_cast<size_t>(kLightningBlock * kDim + c)], x / (1 + std::exp(-x)),
                5e-7 * std::abs(x / (1 + std::exp(-x))) + 1.2e-38 * std::abs(x))
        << x;
    ASSERT_TRUE(std::isfinite(out[static_cast<size_t>(c)]));
  }
}

struct LightningCase {
  int64_t num_tokens;
  int64_t num_heads;
  int64_t head_dim;
  float slope_rate;
};

// Sums of up to 64 + head_dim terms in float32, of either sign: about the square root of their
// number roundings of the largest value are likely, 1e-5 of it (170 roundings) is far above that.
void check_lightning(const Ops& ops, const Parallel& parallel, const LightningCase& c) {
  Random random(static_cast<uint64_t>(c.num_tokens * 131 + c.head_dim));
  Guarded qkv(random.floats(c.num_tokens * c.num_heads * 3 * c.head_dim, -3.0f, 2.0f));
  Guarded state(random.floats(c.num_heads * c.head_dim * c.head_dim, -2, 2));
  Guarded expected_state = state;
  std::vector<float> slopes;
  for (int64_t h = 0; h < c.num_heads; ++h) {
    slopes.push_back(c.slope_rate / static_cast<float>(h + 1));
  }
  Guarded out(c.num_tokens * c.num_heads * c.head_dim);
  Guarded expected(c.num_tokens * c.num_heads * c.head_dim);
  Guarded scratch(parallel.num_workers * lightning_scratch_floats(c.head_dim));
  const std::vector<float> powers = decay_powers(slopes);
  Guarded journal(c.num_heads * 2 * kLightningBlock * c.head_dim);
  Guarded expected_journal = journal;
  LightningArgs args{qkv.data(),     powers.data(), state.data(), journal.data(), out.data(),
                     scratch.data(), c.num_tokens,  c.num_heads,  c.head_dim,     0};
  ops.lightning_attention(parallel, args);
  args.state = expected_state.data();
  args.journal = expected_journal.data();
  args.out = expected.data();
  reference_ops().lightning_attention(serial(), args);
  const std::string what = "lightning, " + std::to_string(c.num_tokens) + " tokens, head_dim " +
                           std::to_string(c.head_dim) + ", slope " + std::to_string(c.slope_rate);
  expect_within(out, expected, largest_bound(expected, 1e-5), what + ", out");
  expect_within(state, expected_state, largest_bound(expected_state, 1e-5), what + ", state");
  expect_within(journal, expected_journal, relative_bound(expected_journal, 5e-7, 1e-37),
                what + ", journal");
  EXPECT_TRUE(scratch.intact()) << what;
}

TEST_P(AttentionOpsTest, LightningAroundTheBlockBorder) {
  for (const int64_t num_tokens : {1, 2, 3, 15, 17, 63, 64, 65, 127, 128, 129, 200}) {
    for (const float slope_rate : {1e-5f, 0.05f, 0.9f}) {
      for (const int64_t head_dim : {1, 5, 16, 24, 33}) {
        check_lightning(ops(), parallel(), {num_tokens, 3, head_dim, slope_rate});
        if (HasFatalFailure()) return;
      }
    }
  }
  check_lightning(ops(), parallel(), {1, 7, 128, 0.3f});
  check_lightning(ops(), parallel(), {129, 2, 128, 0.3f});
}

void check_route(const Ops& ops, const Parallel& parallel, const std::vector<float>& logits,
                 int64_t num_experts, int64_t top_k) {
  const int64_t n = static_cast<int64_t>(logits.size()) / num_experts;
  std::vector<int32_t> ids(static_cast<size_t>(n * top_k), -1);
  std::vector<int32_t> expected_ids = ids;
  Guarded weights(n * top_k);
  Guarded expected(n * top_k);
  ops.route(parallel, {logits.data(), ids.data(), weights.data(), n, num_experts, top_k});
  reference_ops().route(
      serial(), {logits.data(), expected_ids.data(), expected.data(), n, num_experts, top_k});
  EXPECT_EQ(ids, expected_ids);
  // exp of a difference of up to 40, which is rounded once: 40 roundings of a weight of e^-40;
  // larger weights have smaller differences. The sum and the quotient add top_k + 1.
  expect_within(weights, expected,
                std::vector<double>(expected.size(), static_cast<double>(top_k + 8) * kEps),
                "route");
}

TEST_P(AttentionOpsTest, RouteOfRandomLogits) {
  Random random(11);
  for (const int64_t num_experts : {1, 2, 3, 8, 17, 32, 33}) {
    for (const int64_t top_k : {1, 2, 3, 8}) {
      if (top_k > num_experts) continue;
      check_route(ops(), parallel(), random.floats(num_experts * 700, -20, 20), num_experts, top_k);
      check_route(ops(), parallel(), random.floats(num_experts, -1e4f, 1e4f), num_experts, top_k);
    }
  }
}

TEST_P(AttentionOpsTest, RouteBreaksTiesByTheLowerIndex) {
  const std::vector<float> logits = {1, 5, 2, 5, 5, 2, 0, 0, 0, 0, 0, 0, -1, -1, 3, -1, 3, -1};
  std::vector<int32_t> ids(9);
  std::vector<float> weights(9);
  ops().route(parallel(), {logits.data(), ids.data(), weights.data(), 3, 6, 3});
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 3, 4, 0, 1, 2, 2, 4, 0}));
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(weights[i], 1.0 / 3, 1e-7);
  Random random(12);
  std::vector<float> coarse(16 * 500);
  for (float& logit : coarse) logit = static_cast<float>(random.below(3));
  check_route(ops(), parallel(), coarse, 16, 4);
}

INSTANTIATE_TEST_SUITE_P(All, AttentionOpsTest, testing::ValuesIn(all_devices()),
                         device_param_name);

}  // namespace
}  // namespace levin::kernels
