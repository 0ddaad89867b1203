// Lightning attention is one function in three forms: naive (all pairs of tokens), chunked (many
// tokens per call) and recurrent (one per call). Any way of cutting the same tokens must give the
// same outputs and the same final state.
#include "tests/kernels/kernel_testing.h"

namespace levin::kernels {
namespace {

constexpr int64_t kNumHeads = 3;

// Float32 sums of up to 64 + head_dim terms of either sign, and a state that is rounded once a
// call: 1e-5 of the largest value is 170 roundings, far above their square-root growth.
constexpr double kTolerance = 1e-5;

struct Timeline {
  int64_t num_tokens;
  int64_t head_dim;
  std::vector<float> qkv;
  std::vector<float> slope_rates;
  std::vector<float> state;  // Before the first token.
};

Timeline make_timeline(uint64_t seed, int64_t num_tokens, int64_t head_dim, float slope_rate,
                       bool has_past) {
  Random random(seed);
  Timeline timeline;
  timeline.num_tokens = num_tokens;
  timeline.head_dim = head_dim;
  timeline.qkv =
      random.floats(num_tokens * kNumHeads * 3 * head_dim, -3.0f, 1.3f);  // silu: -0.28 .. 1
  timeline.slope_rates = {slope_rate, slope_rate * 0.5f, slope_rate * 0.25f};
  timeline.state.resize(static_cast<size_t>(kNumHeads * head_dim * head_dim));
  if (has_past) timeline.state = random.floats(kNumHeads * head_dim * head_dim, -5, 5);
  return timeline;
}

struct Outcome {
  Guarded out;
  Guarded state;
};

// Feeds the tokens in pieces of the given sizes, which add up to num_tokens.
Outcome run_pieces(const Ops& ops, const Parallel& parallel, const Timeline& timeline,
                   const std::vector<int64_t>& pieces) {
  const int64_t d = timeline.head_dim;
  Outcome outcome{Guarded(timeline.num_tokens * kNumHeads * d), Guarded(timeline.state)};
  Guarded scratch(parallel.num_workers * lightning_scratch_floats(d));
  const std::vector<float> powers = decay_powers(timeline.slope_rates);
  Guarded journal(kNumHeads * 2 * kLightningBlock * d);
  int64_t done = 0;
  for (const int64_t piece : pieces) {
    ops.lightning_attention(
        parallel, {timeline.qkv.data() + done * kNumHeads * 3 * d, powers.data(),
                   outcome.state.data(), journal.data(), outcome.out.data() + done * kNumHeads * d,
                   scratch.data(), piece, kNumHeads, d, done});
    done += piece;
  }
  EXPECT_EQ(done, timeline.num_tokens);
  EXPECT_TRUE(scratch.intact());
  EXPECT_TRUE(journal.intact());
  carry_state(powers, journal.data(), done, d, outcome.state.data());
  return outcome;
}

double silu(float x) {
  return x / (1 + std::exp(-double{x}));
}

// Outputs by the naive form; the final state by its definition, sum of decay^(n-1-j) k_j v_j^T, in
// double.
Outcome run_naive(const Timeline& timeline) {
  const int64_t d = timeline.head_dim;
  Outcome outcome{Guarded(timeline.num_tokens * kNumHeads * d), Guarded(timeline.state)};
  const std::vector<float> powers = decay_powers(timeline.slope_rates);
  lightning_attention_naive({timeline.qkv.data(), powers.data(), outcome.state.data(), nullptr,
                             outcome.out.data(), nullptr, timeline.num_tokens, kNumHeads, d, 0});
  EXPECT_EQ(outcome.state.values(), timeline.state) << "the naive form only reads the state";
  for (int64_t head = 0; head < kNumHeads; ++head) {
    const double slope = timeline.slope_rates[static_cast<size_t>(head)];
    for (int64_t cell = 0; cell < d * d; ++cell) {
      float& at = outcome.state.data()[head * d * d + cell];
      double sum = at * std::exp(-slope * static_cast<double>(timeline.num_tokens));
      for (int64_t j = 0; j < timeline.num_tokens; ++j) {
        const float* k = timeline.qkv.data() + ((j * kNumHeads + head) * 3 + 1) * d;
        sum += std::exp(-slope * static_cast<double>(timeline.num_tokens - 1 - j)) *
               silu(k[cell / d]) * silu(k[d + cell % d]);
      }
      at = static_cast<float>(sum);
    }
  }
  return outcome;
}

void expect_same(const Outcome& got, const Outcome& expected, const std::string& what) {
  expect_within(got.out, expected.out, largest_bound(expected.out, kTolerance), what + ", out");
  expect_within(got.state, expected.state, largest_bound(expected.state, kTolerance),
                what + ", state");
}

std::vector<int64_t> random_split(Random& random, int64_t num_tokens) {
  std::vector<int64_t> pieces;
  while (num_tokens > 0) {
    // Small pieces often, so that one-token steps meet blocks; sometimes more than a block at once.
    const int64_t most = random.below(3) == 0 ? 150 : 4;
    const int64_t piece = std::min(num_tokens, 1 + random.below(most));
    pieces.push_back(piece);
    num_tokens -= piece;
  }
  return pieces;
}

class LightningFormsTest : public DeviceTest {};

TEST_P(LightningFormsTest, NaiveChunkedAndRecurrentAgreeForAnySplit) {
  Random splits(42);
  for (const int64_t head_dim : {16, 24, 32, 128}) {
    const int64_t num_tokens = head_dim == 128 ? 135 : 193;
    for (const float slope_rate : {0.9f, 0.01f, 1e-5f}) {
      for (const bool has_past : {false, true}) {
        const Timeline timeline = make_timeline(7, num_tokens, head_dim, slope_rate, has_past);
        const Outcome naive = run_naive(timeline);
        const std::string what = "head_dim " + std::to_string(head_dim) + ", slope " +
                                 std::to_string(slope_rate) + (has_past ? ", past" : ", no past");
        expect_same(run_pieces(ops(), parallel(), timeline, {num_tokens}), naive,
                    what + ", chunked");
        const std::vector<int64_t> ones(static_cast<size_t>(num_tokens), 1);
        expect_same(run_pieces(ops(), parallel(), timeline, ones), naive, what + ", recurrent");
        for (int split = 0; split < 6; ++split) {
          const std::vector<int64_t> pieces = random_split(splits, num_tokens);
          expect_same(run_pieces(ops(), parallel(), timeline, pieces), naive,
                      what + ", random split");
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Not only within a tolerance: a row's sums have one order whatever rows lie beside it.
TEST_P(LightningFormsTest, AnySplitGivesTheSameBits) {
  for (const int64_t head_dim : {16, 20, 64, 96, 128}) {
    const Timeline timeline = make_timeline(14, 200, head_dim, 0.1f, true);
    const Outcome whole = run_pieces(ops(), parallel(), timeline, {200});
    Random splits(15);
    for (int split = 0; split < 8; ++split) {
      const std::vector<int64_t> pieces =
          split == 0 ? std::vector<int64_t>(200, 1) : random_split(splits, 200);
      const Outcome cut = run_pieces(ops(), parallel(), timeline, pieces);
      ASSERT_EQ(cut.out.values(), whole.out.values()) << "head_dim " << head_dim;
      ASSERT_EQ(cut.state.values(), whole.state.values()) << "head_dim " << head_dim;
    }
  }
}

// Borders of the 64-token block in every position of the cut.
TEST_P(LightningFormsTest, EveryCutIntoTwoAgrees) {
  const Timeline timeline = make_timeline(8, 130, 16, 0.2f, true);
  const Outcome naive = run_naive(timeline);
  for (int64_t first = 1; first < timeline.num_tokens; ++first) {
    expect_same(run_pieces(ops(), parallel(), timeline, {first, timeline.num_tokens - first}),
                naive, "cut after " + std::to_string(first));
  }
}

// A hardly decaying head keeps its first token: errors of many steps must not add up.
TEST_P(LightningFormsTest, LongRunsDoNotDrift) {
  const Timeline timeline = make_timeline(9, 3000, 16, 1e-5f, false);
  const Outcome truth = run_pieces(reference_ops(), parallel(), timeline, {3000});
  const std::vector<int64_t> ones(3000, 1);
  expect_same(run_pieces(ops(), parallel(), timeline, {3000}), truth, "chunked");
  expect_same(run_pieces(ops(), parallel(), timeline, ones), truth, "recurrent");
}

// The heads are independent: one head alone gives what it gives among others, bit for bit.
TEST_P(LightningFormsTest, OneHeadDoesNotSeeAnother) {
  const Timeline timeline = make_timeline(10, 70, 16, 0.1f, true);
  Timeline changed = timeline;
  for (size_t i = 0; i < changed.qkv.size(); ++i) {
    if (i / 48 % kNumHeads != 1) changed.qkv[i] = -changed.qkv[i];
  }
  const Outcome a = run_pieces(ops(), parallel(), timeline, {70});
  const Outcome b = run_pieces(ops(), parallel(), changed, {70});
  for (size_t i = 0; i < a.out.size(); ++i) {
    if (i / 16 % kNumHeads != 1) continue;
    ASSERT_EQ(a.out[i], b.out[i]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, LightningFormsTest, testing::ValuesIn(all_devices()),
                         device_param_name);

// Two tokens by hand: d = 1, decay 1/2. silu(40) is 40 to the last bit.
TEST(LightningByHand, TwoTokensWithAPast) {
  const std::vector<float> qkv = {40, 41, 42, 43, 44, 45};  // q k v, q k v
  const std::vector<float> slope = {0.69314718056f};
  std::vector<float> state = {8};
  std::vector<float> out(2);
  const std::vector<float> powers = decay_powers(slope);
  const LightningArgs args{
      qkv.data(), powers.data(), state.data(), nullptr, out.data(), nullptr, 2, 1, 1, 0};
  lightning_attention_naive(args);
  // S1 = 8/2 + 41 * 42 = 1726, o1 = 69040; S2 = 1726/2 + 44 * 45 = 2843, o2 = 122249.
  EXPECT_FLOAT_EQ(out[0], 69040);
  EXPECT_FLOAT_EQ(out[1], 122249);
  out = {0, 0};
  lightning_attention_recurrent(args);
  EXPECT_FLOAT_EQ(out[0], 69040);
  EXPECT_FLOAT_EQ(out[1], 122249);
  EXPECT_FLOAT_EQ(state[0], 2843);
}

}  // namespace
}  // namespace levin::kernels
