// Replies of the embedded model with and without drafts: the same text, log and figures, whatever
// ends the reply.
#include <gtest/gtest.h>

#include "agent/engine_model.h"
#include "agent/generate.h"

namespace levin::agent {
namespace {

const std::string kFolder = std::string(LEVIN_SOURCE_DIR) + "/engine/models/levin-tiny";

class SpeculationTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    engine::EngineOptions options;
    options.model_folder = kFolder;
    options.cpu.num_threads = 2;
    auto opened = engine::Engine::open(options);
    ASSERT_TRUE(opened) << opened.error().message();
    engine_ = std::move(*opened).release();
  }
  static void TearDownTestSuite() { delete engine_; }

  struct Said {
    Generated generated;
    std::vector<engine::TokenId> log;
    engine::DraftStats stats;
  };

  // A reply to a text that repeats itself, then a second one after an answer.
  static Said say(engine::Speculation speculation, const GenerateOptions& options) {
    engine::SessionOptions session;
    session.speculation = speculation;
    Said said;
    auto model = EngineModel::create(*engine_, "", session);
    EXPECT_TRUE(model);
    const engine::Tokenizer& tokenizer = engine_->tokenizer();
    const engine::TokenId end = *tokenizer.special_token("<end_of_sentence>");
    std::string text = "<think>\n";
    for (int i = 0; i < 4; ++i) text += "def total(values):\n    return sum(values) + 1\n\n";
    for (const std::string& part : {text, std::string("\nreturn sum(values)")}) {
      EXPECT_TRUE((*model)->append(tokenizer.encode(part, engine::SpecialTokens::kAsText)));
      EXPECT_TRUE((*model)->mark());
      const auto generated = generate(**model, end, options, nullptr);
      EXPECT_TRUE(generated);
      said.generated.text += "|" + generated->text;
      said.generated.num_tokens += generated->num_tokens;
      said.generated.finish = generated->finish;
    }
    said.log = (*model)->token_log();
    said.stats = (*model)->draft_stats();
    return said;
  }

  static engine::DraftStats expect_same(const GenerateOptions& options) {
    const Said plain = say(engine::Speculation::kOff, options);
    const Said fast = say(engine::Speculation::kAlways, options);
    EXPECT_EQ(fast.log, plain.log);
    EXPECT_EQ(fast.generated.text, plain.generated.text);
    EXPECT_EQ(fast.generated.num_tokens, plain.generated.num_tokens);
    EXPECT_EQ(fast.generated.finish, plain.generated.finish);
    EXPECT_EQ(plain.stats.drafted, 0);
    return fast.stats;
  }

  static engine::Engine* engine_;
};

engine::Engine* SpeculationTest::engine_ = nullptr;

TEST_F(SpeculationTest, GreedyAndSeededRepliesAreTheSame) {
  // Without its end marker the model goes on until it repeats itself.
  const std::vector<engine::TokenId> banned = {
      *engine_->tokenizer().special_token("<end_of_sentence>")};
  GenerateOptions options;
  options.tokens_max = 150;
  options.sample.temperature = 0;
  options.sample.banned = banned;
  const engine::DraftStats greedy = expect_same(options);
  EXPECT_GT(greedy.drafted, 0);
  EXPECT_GT(greedy.accepted, 0);
  options.sample.temperature = 1;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    options.sample.seed = seed;
    expect_same(options);
  }
}

TEST_F(SpeculationTest, AStopStringEndsTheReplyAtTheSameToken) {
  GenerateOptions options;
  options.tokens_max = 100;
  options.sample.temperature = 0.5;
  for (const char* stop : {"e", "return", "\n", "sum(val"}) {
    options.stop_strings = {stop};
    expect_same(options);
  }
}

TEST_F(SpeculationTest, AThinkBudgetClosesAtTheSameToken) {
  GenerateOptions options;
  options.tokens_max = 80;
  options.sample.temperature = 0.7;
  for (const int64_t budget : {1, 7, 40}) {
    options.think_tokens_max = budget;
    expect_same(options);
  }
}

TEST_F(SpeculationTest, ATokenLimitCutsAtTheSameToken) {
  GenerateOptions options;
  options.sample.temperature = 0;
  for (const int64_t most : {1, 2, 3, 17, 63}) {
    options.tokens_max = most;
    expect_same(options);
  }
}

}  // namespace
}  // namespace levin::agent
