// Random checkpoints: loadable, the same for the same seed, and refused where they would do harm.
#include "engine/random_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/file_io.h"
#include "engine/engine.h"
#include "tests/base/temporary_folder.h"

namespace levin::engine {
namespace {

using kernels::DType;

RandomModelOptions options_for(const std::string& folder, DType type, uint64_t seed = 7) {
  RandomModelOptions options;
  options.config_text = random_model_shape("long");
  options.config_name = "long";
  options.type = type;
  options.folder = folder;
  options.seed = seed;
  return options;
}

std::unique_ptr<Engine> open(const std::string& folder, Precision precision) {
  EngineOptions options;
  options.model_folder = folder;
  options.cpu.num_threads = 2;
  options.precision = precision;
  Result<std::unique_ptr<Engine>> engine = Engine::open(options);
  EXPECT_TRUE(engine) << engine.error().message();
  return engine ? *std::move(engine) : nullptr;
}

std::vector<float> logits_of(Engine& engine, int64_t chunk_tokens) {
  SessionOptions options;
  options.prefill_chunk_tokens = chunk_tokens;
  options.kv_dtype = DType::kBF16;
  Result<Session> session = engine.open_session(options);
  EXPECT_TRUE(session);
  std::vector<TokenId> tokens;
  for (TokenId i = 0; i < 130; ++i) tokens.push_back(i * 37 % 1024);
  EXPECT_TRUE(session->append(tokens));
  std::vector<float> all;
  EXPECT_TRUE(session->all_logits(&all));
  return all;
}

class RandomModelTest : public testing::TestWithParam<DType> {
 protected:
  TemporaryFolder folder_;
};

TEST_P(RandomModelTest, LoadsAndGivesFiniteLogitsThatSpread) {
  const std::string model = folder_.file("model");
  const Result<uint64_t> bytes = write_random_model(options_for(model, GetParam()));
  ASSERT_TRUE(bytes) << bytes.error().message();
  EXPECT_GT(*bytes, 1000000u);
  const std::unique_ptr<Engine> engine = open(model, Precision::kNative);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->model().weights.has_int8_tiles, GetParam() != DType::kBF16);
  const std::vector<float> logits = logits_of(*engine, 64);
  float largest = 0;
  for (const float value : logits) {
    ASSERT_TRUE(std::isfinite(value));
    largest = std::max(largest, std::abs(value));
  }
  EXPECT_GT(largest, 0.5f);
  EXPECT_LT(largest, 100.0f);
}

// Rounded activations change the figures, not the promise: any split gives the same bits.
TEST_P(RandomModelTest, NativePrecisionHasTheSameBitsForAnySplit) {
  const std::string model = folder_.file("model");
  ASSERT_TRUE(write_random_model(options_for(model, GetParam())));
  const std::unique_ptr<Engine> engine = open(model, Precision::kNative);
  ASSERT_NE(engine, nullptr);
  const std::vector<float> whole = logits_of(*engine, 1024);
  for (const int64_t chunk : {1, 3, 7, 50}) EXPECT_EQ(logits_of(*engine, chunk), whole) << chunk;
}

// Exact precision widens the same tiles: what is left is the rounding of activations and keys.
TEST_P(RandomModelTest, NativeIsNearExact) {
  const std::string model = folder_.file("model");
  ASSERT_TRUE(write_random_model(options_for(model, GetParam())));
  const std::unique_ptr<Engine> native = open(model, Precision::kNative);
  const std::unique_ptr<Engine> exact = open(model, Precision::kExact);
  ASSERT_TRUE(native != nullptr && exact != nullptr);
  const std::vector<float> got = logits_of(*native, 64);
  const std::vector<float> expected = logits_of(*exact, 64);
  // An expert on the border may flip for a token, so most tokens are compared, not the worst.
  double squares = 0;
  double scale = 0;
  for (size_t i = 0; i < 10 * 1024; ++i) {
    squares += (double{got[i]} - expected[i]) * (double{got[i]} - expected[i]);
    scale += double{expected[i]} * expected[i];
  }
  EXPECT_LT(std::sqrt(squares / scale), 0.1);
}

INSTANTIATE_TEST_SUITE_P(Types, RandomModelTest,
                         testing::Values(DType::kBF16, DType::kTileQ8, DType::kTileQ4),
                         [](const auto& one) {
                           return one.param == DType::kBF16     ? "bf16"
                                  : one.param == DType::kTileQ8 ? "q8"
                                                                : "q4";
                         });

TEST(RandomModel, TheSeedDecidesEveryByte) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_random_model(options_for(folder.file("a"), DType::kTileQ4, 1)));
  ASSERT_TRUE(write_random_model(options_for(folder.file("b"), DType::kTileQ4, 1)));
  ASSERT_TRUE(write_random_model(options_for(folder.file("c"), DType::kTileQ4, 2)));
  const auto weights = [&](const char* name) {
    return *read_file(folder.file(name) + "/model.safetensors");
  };
  EXPECT_EQ(weights("a"), weights("b"));
  EXPECT_NE(weights("a"), weights("c"));
}

TEST(RandomModel, AFolderThatHoldsAModelIsLeftAlone) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_random_model(options_for(folder.file("a"), DType::kTileQ8)));
  const Result<uint64_t> again = write_random_model(options_for(folder.file("a"), DType::kTileQ4));
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message().find("holds a model already"), std::string::npos);
  // A tokenizer alone is also somebody's.
  ASSERT_TRUE(make_directories(folder.file("b")));
  ASSERT_TRUE(write_file_atomic(folder.file("b") + "/tokenizer.json", "mine"));
  EXPECT_FALSE(write_random_model(options_for(folder.file("b"), DType::kTileQ4)));
  EXPECT_EQ(*read_file(folder.file("b") + "/tokenizer.json"), "mine");
  EXPECT_FALSE(random_model_type("q5"));
  EXPECT_EQ(random_model_shape("huge"), "");
}

TEST(RandomModel, ATileThatIsWrongIsRefusedByName) {
  EXPECT_FALSE(parse_tile_value("q4 16"));
  EXPECT_FALSE(parse_tile_value("q4 16 33"));
  EXPECT_FALSE(parse_tile_value("q4 -1 32"));
  const auto unknown = parse_tile_value("q3 16 32");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("'q3'"), std::string::npos);
  const auto known = parse_tile_value("q8g16 17 64");
  ASSERT_TRUE(known);
  EXPECT_EQ(known->dtype, DType::kTileQ8G16);
}

}  // namespace
}  // namespace levin::engine
