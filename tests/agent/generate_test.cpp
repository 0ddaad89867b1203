// One reply: stop strings over token borders, the think budget, limits and interrupts.
#include "agent/generate.h"

#include <gtest/gtest.h>

#include "tests/agent/list_client.h"

namespace levin::agent {
namespace {

using engine::TokenId;

const engine::Tokenizer& tokenizer() {
  static const Result<engine::Tokenizer> loaded = engine::Tokenizer::load(
      std::string(LEVIN_SOURCE_DIR) + "/engine/models/levin-tiny/tokenizer.json");
  return *loaded;
}

TokenId end_token() {
  return *tokenizer().special_token("<end_of_sentence>");
}

// One token per byte: every border that a text can have.
std::vector<TokenId> bytes_of(const std::string& text) {
  std::vector<TokenId> ids;
  for (const char byte : text) {
    for (TokenId id = 0; id < tokenizer().vocab_size(); ++id) {
      if (tokenizer().token_bytes(id) != std::string_view(&byte, 1)) continue;
      ids.push_back(id);
      break;
    }
  }
  EXPECT_EQ(ids.size(), text.size());
  return ids;
}

std::vector<TokenId> ended(const std::string& text) {
  std::vector<TokenId> ids = bytes_of(text);
  ids.push_back(end_token());
  return ids;
}

struct Said {
  Generated generated;
  std::string told;  // All that on_text got.
  std::vector<TokenId> log;
};

Said say(std::vector<TokenId> ids, const GenerateOptions& options = {}) {
  Said said;
  ListClient client(tokenizer(), std::move(ids));
  const auto generated =
      generate(client, end_token(), options, [&](std::string_view text) { said.told += text; });
  EXPECT_TRUE(generated) << generated.error().message();
  if (generated) said.generated = *generated;
  said.log = client.token_log();
  EXPECT_EQ(said.told, said.generated.text);
  return said;
}

TEST(Generate, GivesTheTextWithoutItsEndMarker) {
  const Said said = say(ended("Hello, wörld."));
  EXPECT_EQ(said.generated.text, "Hello, wörld.");
  EXPECT_EQ(said.generated.finish, FinishReason::kStop);
  EXPECT_EQ(said.generated.num_tokens, 15);
  EXPECT_EQ(said.log.size(), 15u);
}

TEST(Generate, FindsAStopStringOverTokenBorders) {
  GenerateOptions options;
  options.stop_strings = {"END"};
  const Said said = say(ended("one EN two END three"), options);
  EXPECT_EQ(said.generated.text, "one EN two ");
  EXPECT_EQ(said.generated.finish, FinishReason::kStopString);
  EXPECT_EQ(said.log.size(), 14u);  // Nothing is sampled after it.
}

TEST(Generate, FindsAStopStringThatBeginsInsideItsOwnBeginning) {
  GenerateOptions options;
  options.stop_strings = {"aab"};
  EXPECT_EQ(say(ended("xaaab"), options).generated.text, "xa");
}

TEST(Generate, TakesTheFirstOfSeveralStopStrings) {
  GenerateOptions options;
  options.stop_strings = {"two", "one t", ""};
  EXPECT_EQ(say(ended("one two"), options).generated.text, "");
}

TEST(Generate, GivesOutABeginningThatTurnedOutToBeText) {
  GenerateOptions options;
  options.stop_strings = {"END"};
  EXPECT_EQ(say(ended("the EN"), options).generated.text, "the EN");
}

TEST(Generate, NeverGivesHalfACharacter) {
  ListClient client(tokenizer(), ended("aé"));
  std::vector<std::string> pieces;
  ASSERT_TRUE(
      generate(client, end_token(), {}, [&](std::string_view text) { pieces.emplace_back(text); }));
  EXPECT_EQ(pieces, (std::vector<std::string>{"a", "é"}));
}

TEST(Generate, ACharacterThatIsCutComesOutAsAReplacement) {
  GenerateOptions options;
  options.tokens_max = 2;
  EXPECT_EQ(say(ended("aé"), options).generated.text, "a\xEF\xBF\xBD");
}

TEST(Generate, StopsAtItsTokenLimit) {
  GenerateOptions options;
  options.tokens_max = 3;
  const Said said = say(ended("abcdef"), options);
  EXPECT_EQ(said.generated.text, "abc");
  EXPECT_EQ(said.generated.finish, FinishReason::kLength);
  EXPECT_EQ(said.generated.cut_by, "");
}

TEST(Generate, AFullContextCutsAReplyThatHasBegun) {
  const Said said = say(bytes_of("abc"));  // The list ends with kLimit.
  EXPECT_EQ(said.generated.text, "abc");
  EXPECT_EQ(said.generated.finish, FinishReason::kLength);
  EXPECT_EQ(said.generated.cut_by, "the list is at its end");
}

TEST(Generate, AFullContextBeforeTheFirstTokenIsAnError) {
  ListClient client(tokenizer(), {});
  const auto generated = generate(client, end_token(), {}, nullptr);
  ASSERT_FALSE(generated);
  EXPECT_EQ(generated.error().code(), ErrorCode::kLimit);
}

TEST(Generate, AnyOtherErrorIsPassedOn) {
  ListClient client(tokenizer(), bytes_of("abc"), ErrorCode::kIo);
  const auto generated = generate(client, end_token(), {}, nullptr);
  ASSERT_FALSE(generated);
  EXPECT_EQ(generated.error().code(), ErrorCode::kIo);
}

TEST(Generate, ForcesTheClosingTagWhenTheThinkBudgetIsSpent) {
  GenerateOptions options;
  options.think_tokens_max = 4;
  const Said said = say(ended("<think>abcdefgh"), options);
  EXPECT_EQ(said.generated.text, "<think>abcd\n</think>\nefgh");
  EXPECT_EQ(tokenizer().decode(said.log), "<think>abcd\n</think>\nefgh<end_of_sentence>");
  EXPECT_EQ(said.generated.num_tokens, static_cast<int64_t>(said.log.size()));
}

TEST(Generate, AClosedThoughtHasNoBudgetAnyMore) {
  GenerateOptions options;
  options.think_tokens_max = 12;
  const std::string text = "<think>ab</think> and a long answer after it";
  EXPECT_EQ(say(ended(text), options).generated.text, text);
}

TEST(Generate, WithoutReasoningThereIsNoBudget) {
  GenerateOptions options;
  options.think_tokens_max = 1;
  EXPECT_EQ(say(ended("no thoughts at all"), options).generated.text, "no thoughts at all");
}

TEST(Generate, AnInterruptEndsItBetweenTokens) {
  std::atomic<bool> interrupted = false;
  GenerateOptions options;
  options.interrupted = &interrupted;
  ListClient client(tokenizer(), ended("abcdef"));
  const auto generated = generate(client, end_token(), options, [&](std::string_view text) {
    if (text == "c") interrupted = true;
  });
  ASSERT_TRUE(generated);
  EXPECT_EQ(generated->finish, FinishReason::kInterrupted);
  EXPECT_EQ(generated->text, "abc");
}

}  // namespace
}  // namespace levin::agent
