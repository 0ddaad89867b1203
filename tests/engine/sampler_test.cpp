// The sampler: exact kept sets on hand-made logits, frequencies, and draws that depend on nothing
// but options, logits and position.
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace levin::engine {
namespace {

// Ids out of order of their probability, so that ranks and ids cannot be confused.
const std::vector<double> kProbabilities = {0.05, 0.40, 0.20, 0.05, 0.30};

std::vector<float> logits_of(const std::vector<double>& probabilities, double shift = 3) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p) + shift));
  return logits;
}

SampleOptions everything() {
  SampleOptions options;
  options.top_p = 1;
  return options;
}

// All ids that come up in many draws. The rarest id here has 1 in 60: 2,000 draws miss it once in
// 1e14.
std::set<TokenId> kept(const SampleOptions& options, const std::vector<float>& logits) {
  Sampler sampler;
  std::set<TokenId> ids;
  for (uint64_t position = 0; position < 2000; ++position) {
    ids.insert(sampler.sample(logits, options, position));
  }
  return ids;
}

using Ids = std::set<TokenId>;

TEST(Sampler, GreedyTakesTheBestAndTheLowestIdAmongEquals) {
  SampleOptions options;
  options.temperature = 0;
  Sampler sampler;
  for (uint64_t position = 0; position < 20; ++position) {
    EXPECT_EQ(sampler.sample(logits_of(kProbabilities), options, position), 1);
    EXPECT_EQ(sampler.sample(std::vector<float>{1, 5, 2, 5, 5}, options, position), 1);
    EXPECT_EQ(sampler.sample(std::vector<float>(7, -3.0f), options, position), 0);
    EXPECT_EQ(sampler.sample(std::vector<float>{-1e30f}, options, position), 0);
  }
  options.temperature = -1;
  EXPECT_EQ(sampler.sample(logits_of(kProbabilities), options, 0), 1);
}

TEST(Sampler, TopKOfOneIsGreedy) {
  SampleOptions options = everything();
  options.top_k = 1;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), Ids{1});
  EXPECT_EQ(kept(options, {2, 7, 7}), Ids{1});
}

TEST(Sampler, TopKKeepsTheBestAndTheLowerIdsAmongEquals) {
  SampleOptions options = everything();
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), (Ids{0, 1, 2, 3, 4}));
  options.top_k = 2;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), (Ids{1, 4}));
  options.top_k = 4;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), (Ids{0, 1, 2, 4})) << "0 and 3 are equal";
  options.top_k = 100;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)).size(), 5u);
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
  SampleOptions options;
  const std::vector<float> logits = logits_of(kProbabilities);
  const struct {
    double top_p;
    Ids expected;
  } cases[] = {{0.0, {1}},
               {0.39, {1}},
               {0.41, {1, 4}},
               {0.69, {1, 4}},
               {0.71, {1, 2, 4}},
               {0.89, {1, 2, 4}},
               {0.91, {0, 1, 2, 4}},
               {0.96, {0, 1, 2, 3, 4}},
               {1.0, {0, 1, 2, 3, 4}}};
  for (const auto& one : cases) {
    options.top_p = one.top_p;
    EXPECT_EQ(kept(options, logits), one.expected) << one.top_p;
  }
}

TEST(Sampler, MinPIsAShareOfTheBest) {
  SampleOptions options = everything();
  const std::vector<float> logits = logits_of(kProbabilities);
  options.min_p = 0.12;  // Of 0.40: 0.048.
  EXPECT_EQ(kept(options, logits).size(), 5u);
  options.min_p = 0.13;
  EXPECT_EQ(kept(options, logits), (Ids{1, 2, 4}));
  options.min_p = 0.51;
  EXPECT_EQ(kept(options, logits), (Ids{1, 4}));
  options.min_p = 2;  // The best stays, whatever the threshold.
  EXPECT_EQ(kept(options, logits), Ids{1});
}

// top_p sees what top_k left, as shares of it: 0.40 of {0.40, 0.30} is 0.571.
TEST(Sampler, TheOrderIsTopKThenTopP) {
  SampleOptions options;
  options.top_k = 2;
  options.top_p = 0.55;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), Ids{1});
  options.top_p = 0.58;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), (Ids{1, 4}));
}

// Thresholds are taken after temperature: at 2 the share 0.05 / 0.40 becomes its root, 0.354.
TEST(Sampler, TemperatureComesBeforeTheThresholds) {
  SampleOptions options = everything();
  options.min_p = 0.3;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), (Ids{1, 2, 4}));
  options.temperature = 2;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)).size(), 5u);
  options = everything();
  options.temperature = 0.01;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), Ids{1});
  options.temperature = 1e-300;
  EXPECT_EQ(kept(options, {3, 9, -1e30f, 9}), (Ids{1, 3}));
  options.temperature = 1e300;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)).size(), 5u);
}

TEST(Sampler, BannedIdsNeverComeUp) {
  SampleOptions options = everything();
  const std::vector<TokenId> banned = {1, 3, 77, -4};  // Ids that do not exist change nothing.
  options.banned = banned;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), (Ids{0, 2, 4}));
  options.top_p = 0.5;  // Of what is left: 0.30 of 0.55 reaches it.
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), Ids{4});
  options.temperature = 0;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), Ids{4});
  options.top_k = 1;
  EXPECT_EQ(kept(options, logits_of(kProbabilities)), Ids{4});
}

TEST(Sampler, ExtremeLogits) {
  const std::vector<float> logits = {-3.4e38f, 3.4e38f, 0, 3.4e38f};
  EXPECT_EQ(kept(everything(), logits), (Ids{1, 3}));
  EXPECT_EQ(kept(everything(), std::vector<float>(4, -3.4e38f)), (Ids{0, 1, 2, 3}));
}

// Pearson's statistic over `count` draws. With 4 degrees of freedom 30 is passed by chance once in
// 200,000; the draws are fixed, so this never flickers.
double chi_square(const SampleOptions& options, const std::vector<float>& logits,
                  const std::vector<double>& expected) {
  constexpr int kDraws = 20000;
  Sampler sampler;
  std::vector<int> counts(expected.size());
  for (uint64_t position = 0; position < kDraws; ++position) {
    ++counts[static_cast<size_t>(sampler.sample(logits, options, position))];
  }
  double sum = 0;
  for (size_t id = 0; id < counts.size(); ++id) {
    if (expected[id] == 0) {
      EXPECT_EQ(counts[id], 0) << id;
      continue;
    }
    const double mean = expected[id] * kDraws;
    sum += (counts[id] - mean) * (counts[id] - mean) / mean;
  }
  return sum;
}

TEST(Sampler, FrequenciesAreTheProbabilities) {
  const std::vector<float> logits = logits_of(kProbabilities, -50);
  for (const uint64_t seed : {0u, 1u, 12345u}) {
    SampleOptions options = everything();
    options.seed = seed;
    EXPECT_LT(chi_square(options, logits, kProbabilities), 30) << seed;
    options.top_k = 3;
    EXPECT_LT(chi_square(options, logits, {0, 0.4 / 0.9, 0.2 / 0.9, 0, 0.3 / 0.9}), 30) << seed;
    options.top_k = 0;
    options.temperature = 0.5;  // Squares, over their sum 0.295.
    EXPECT_LT(
        chi_square(options, logits,
                   {0.0025 / 0.295, 0.16 / 0.295, 0.04 / 0.295, 0.0025 / 0.295, 0.09 / 0.295}),
        30)
        << seed;
  }
}

TEST(Sampler, SameSeedSameDrawsWhateverWasDrawnBefore) {
  const std::vector<float> logits = logits_of(kProbabilities);
  SampleOptions options = everything();
  options.seed = 99;
  Sampler busy;
  std::vector<TokenId> backwards(500);
  for (size_t i = backwards.size(); i-- > 0;) {
    backwards[i] = busy.sample(logits, options, i);
    SampleOptions other = options;
    other.seed = i;
    busy.sample(std::vector<float>(1000, 1.0f), other, i);
  }
  int same_as_other_seed = 0;
  for (size_t i = 0; i < backwards.size(); ++i) {
    Sampler fresh;
    ASSERT_EQ(fresh.sample(logits, options, i), backwards[i]);
    SampleOptions other = options;
    other.seed = 100;
    same_as_other_seed += fresh.sample(logits, other, i) == backwards[i] ? 1 : 0;
  }
  // Independent draws agree with probability 0.295: 148 of 500, five deviations of 10.
  EXPECT_LT(same_as_other_seed, 200);
  EXPECT_GT(same_as_other_seed, 96);
}

TEST(UniformDraw, IsUniformInSeedAndPosition) {
  for (const bool by_seed : {false, true}) {
    constexpr int kDraws = 100000;
    double sum = 0;
    int bins[16] = {};
    for (uint64_t i = 0; i < kDraws; ++i) {
      const double draw = by_seed ? uniform_draw(i, 7) : uniform_draw(7, i);
      ASSERT_GE(draw, 0.0);
      ASSERT_LT(draw, 1.0);
      sum += draw;
      ++bins[static_cast<int>(draw * 16)];
    }
    EXPECT_NEAR(sum / kDraws, 0.5, 0.005);  // Five deviations of 0.289 / sqrt(100,000).
    for (const int count : bins) EXPECT_NEAR(count, kDraws / 16, 400);  // Five of 77.
  }
  EXPECT_EQ(uniform_draw(3, 4), uniform_draw(3, 4));
  EXPECT_NE(uniform_draw(3, 4), uniform_draw(4, 3));
  EXPECT_NE(uniform_draw(0, 0), uniform_draw(0, 1));
  EXPECT_LT(uniform_draw(UINT64_MAX, UINT64_MAX), 1.0);
}

}  // namespace
}  // namespace levin::engine
