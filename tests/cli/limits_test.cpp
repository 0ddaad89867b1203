// Limits of a run and of a reply: turns, tokens, reasoning, stop strings, the context.
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class LimitsTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
  }
};

TEST_F(LimitsTest, MaxTurnsEndsTheRun) {
  const Told told =
      run_script({block({bash("echo 1")}), block({bash("echo 2")}), "Done."}, {"--max-turns", "2"});
  EXPECT_EQ(told.program.exit_code, 3);
  EXPECT_EQ(told.reason(), "max_turns");
  EXPECT_TRUE(has(told.last()["message"], "--max-turns"));
  EXPECT_EQ(told.results().size(), 2u);
}

TEST_F(LimitsTest, MaxTokensCutsAReply) {
  const Told told =
      run_script({"one two three four five six seven eight nine ten"}, {"--max-tokens", "4"});
  EXPECT_EQ(told.program.exit_code, 3);
  EXPECT_EQ(told.reason(), "max_tokens");
  EXPECT_TRUE(has(told.last()["message"], "--max-tokens"));
  EXPECT_EQ(told.last()["usage"]["generated"], 4);
}

TEST_F(LimitsTest, AModelThatNeverStopsIsCut) {
  std::string endless;
  for (int count = 0; count < 50'000; ++count) endless += "\x01";
  const Told told = run_script({endless}, {"--max-tokens", "3000"});
  EXPECT_EQ(told.program.exit_code, 3);
  EXPECT_EQ(told.reason(), "max_tokens");
  EXPECT_EQ(told.last()["usage"]["generated"], 3000);
}

TEST_F(LimitsTest, WholeCallsBeforeALimitAreRun) {
  const std::string first = block({bash("echo ran")});
  const Told told =
      run_script({first + "\n" + std::string(4000, '\x01'), "Done."}, {"--max-tokens", "200"});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out;
  EXPECT_EQ(told.results().at(0), "exit 0\nran");
}

TEST_F(LimitsTest, AnEmptyReplyIsAFailure) {
  for (const char* reply : {"", " \n", "<think>\nOnly thoughts.\n</think>\n"}) {
    const Told told = run_script({reply});
    EXPECT_EQ(told.program.exit_code, 1) << reply;
    EXPECT_EQ(told.reason(), "empty_reply") << reply;
  }
}

TEST_F(LimitsTest, AStopStringEndsTheReplyAndIsNotShown) {
  const Told told = run_script({"The answer. STOPHERE and more."}, {"--stop", "STOPHERE"});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out;
  const auto messages = told.items("item.completed", "message");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0]["text"], "The answer.");
  EXPECT_FALSE(has(told.program.out, "STOPHERE"));
}

TEST_F(LimitsTest, OneOfSeveralStopStringsIsEnough) {
  const Told told = run_script({"One two three."}, {"--stop", "nine", "--stop", " three"});
  EXPECT_EQ(told.items("item.completed", "message").at(0)["text"], "One two");
}

TEST_F(LimitsTest, TheThinkBudgetClosesTheReasoning) {
  // Tokens that a model has left after its budget never come from a script: closing drops the rest
  // of the reply, and the next line of the script is what is sampled behind the closing tag.
  const Told told = run_script({"<think>\nI could think for a very long time about this matter, "
                                "really, for hours and hours.\n</think>\nnever said",
                                "The answer."},
                               {"--think-budget", "5"});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out;
  const std::string text = detokenize(told.token_log());
  EXPECT_TRUE(has(text, "\n</think>\nThe answer.<end_of_sentence>")) << text;
  EXPECT_FALSE(has(text, "hours")) << text;
  EXPECT_EQ(told.of_type("state").size(), 1u);
  EXPECT_EQ(told.items("item.completed", "message").at(0)["text"], "The answer.");
}

TEST_F(LimitsTest, AShortThoughtKeepsItsOwnEnd) {
  const Told told =
      run_script({"<think>\nShort.\n</think>\nThe answer."}, {"--think-budget", "500"});
  EXPECT_TRUE(
      has(detokenize(told.token_log()), "<think>\nShort.\n</think>\nThe answer.<end_of_sentence>"));
}

TEST_F(LimitsTest, ATaskLargerThanTheContextIsALimit) {
  std::string task;
  for (int count = 0; count < 9000; ++count) task += "word" + std::to_string(count) + " ";
  const Told told = run({task});
  EXPECT_EQ(told.program.exit_code, 3) << told.program.out << told.program.err;
  EXPECT_EQ(told.reason(), "context");
  EXPECT_TRUE(has(told.last()["message"], "4096")) << told.last();
  EXPECT_EQ(git_status(), "");
}

}  // namespace
}  // namespace levin::cli
