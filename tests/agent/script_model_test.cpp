#include "agent/script_model.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace levin::agent {
namespace {

class ScriptModelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "levin-script-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    auto loaded = engine::Tokenizer::load(LEVIN_SOURCE_DIR
                                          "/tests/golden/tokenizer/mini_o200k/tokenizer.json");
    ASSERT_TRUE(loaded) << loaded.error().message();
    tokenizer_.emplace(*std::move(loaded));
    end_ = tokenizer_->special_token("<end_of_sentence>").value_or(-1);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<ScriptModel> open(const std::string& script, ScriptOptions options = {}) {
    std::ofstream(folder_ + "/s.jsonl") << script;
    auto model = ScriptModel::create(folder_ + "/s.jsonl", *tokenizer_, options);
    EXPECT_TRUE(model) << model.error().message();
    return *std::move(model);
  }

  // Samples one reply; its text without the end marker, "!" and the error's message where it
  // failed.
  std::string reply(ScriptModel& model) {
    std::vector<engine::TokenId> ids;
    for (;;) {
      const auto id = model.sample({});
      if (!id)
        return tokenizer_->decode(ids) + (id.error().code() == ErrorCode::kLimit ? "!cut" : "!end");
      if (*id == end_) return tokenizer_->decode(ids);
      ids.push_back(*id);
    }
  }

  std::string folder_;
  std::optional<engine::Tokenizer> tokenizer_;
  engine::TokenId end_ = -1;
};

TEST_F(ScriptModelTest, GivesItsRepliesInOrderAndThenEnds) {
  auto model = open("{\"text\": \"Hello\"}\n{\"text\": \"World<end_of_sentence>\"}\n");
  EXPECT_FALSE(model->exhausted());
  EXPECT_EQ(reply(*model), "Hello");
  EXPECT_FALSE(model->exhausted());
  EXPECT_EQ(reply(*model), "World");
  EXPECT_TRUE(model->exhausted());
  EXPECT_EQ(model->replies_used(), 2U);
  EXPECT_EQ(reply(*model), "!end");
}

TEST_F(ScriptModelTest, TheLogHoldsAllThatWasAppendedAndSampled) {
  auto model = open("{\"text\": \"Hi\"}\n");
  const std::vector<engine::TokenId> prompt = {1, 2, 3};
  ASSERT_TRUE(model->append(prompt));
  reply(*model);
  std::vector<engine::TokenId> expected = prompt;
  for (const auto id : tokenizer_->encode("Hi", engine::SpecialTokens::kAsText))
    expected.push_back(id);
  expected.push_back(end_);
  EXPECT_EQ(model->token_log(), expected);
}

TEST_F(ScriptModelTest, CutReplyEndsByLimitWithoutItsMarker) {
  auto model = open("{\"text\": \"Half\", \"finish\": \"length\"}\n{\"text\": \"Next\"}\n");
  EXPECT_EQ(reply(*model), "Half!cut");
  EXPECT_NE(model->token_log().back(), end_);
  EXPECT_EQ(reply(*model), "Next");
}

TEST_F(ScriptModelTest, MarkersInsideTheTextArePlainText) {
  auto model = open("{\"text\": \"a<end_of_sentence>b\"}\n");
  EXPECT_EQ(reply(*model), "a<end_of_sentence>b");
}

TEST_F(ScriptModelTest, AppendDropsTheRestOfAReply) {
  auto model = open("{\"text\": \"a long reply of many tokens\"}\n{\"text\": \"Next\"}\n");
  ASSERT_TRUE(model->sample({}));
  ASSERT_TRUE(model->append(std::vector<engine::TokenId>{1}));
  EXPECT_EQ(reply(*model), "Next");
}

TEST_F(ScriptModelTest, StartsAtALaterReply) {
  ScriptOptions options;
  options.first_reply = 1;
  EXPECT_EQ(reply(*open("{\"text\": \"a\"}\n{\"text\": \"b\"}\n", options)), "b");
  options.first_reply = 9;
  EXPECT_TRUE(open("{\"text\": \"a\"}\n", options)->exhausted());
}

TEST_F(ScriptModelTest, BadFilesAreErrors) {
  EXPECT_EQ(ScriptModel::create(folder_ + "/none", *tokenizer_, {}).error().code(),
            ErrorCode::kNotFound);
  std::ofstream(folder_ + "/bad") << "x";
  EXPECT_EQ(ScriptModel::create(folder_ + "/bad", *tokenizer_, {}).error().code(),
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace levin::agent
