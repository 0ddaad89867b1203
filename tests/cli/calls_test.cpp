// What the model is told about its calls, right and wrong ones: all through the real program.
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class CallsTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
  }

  // The only result of a reply with this text, after which the model ends.
  std::string answer(const std::string& reply) {
    told_ = run_script({reply, "Done."});
    EXPECT_EQ(told_.program.exit_code, 0) << told_.program.out << told_.program.err;
    const auto results = told_.results();
    EXPECT_EQ(results.size(), 1u);
    return results.empty() ? "" : results[0];
  }

  Told told_;
};

TEST_F(CallsTest, TwoCallsAreAnsweredInOrderInOneToolTurn) {
  const Told told =
      run_script({block({bash("echo first"), call("read", {{"path", "a.txt"}})}), "Done."});
  EXPECT_EQ(told.results(),
            (std::vector<std::string>{"exit 0\nfirst", "a.txt (lines 1-1 of 1)\n1\tone"}));
  const std::string text = detokenize(told.token_log());
  EXPECT_TRUE(has(text,
                  "<end_of_sentence>\n<beginning_of_sentence>tool name=tools\n"
                  "tool name: bash\ntool result: exit 0\nfirst\n\n"
                  "tool name: read\ntool result: a.txt (lines 1-1 of 1)\n1\tone\n\n"
                  "<end_of_sentence>\n<beginning_of_sentence>ai name=assistant\n"))
      << text;
}

TEST_F(CallsTest, CallsOfOneReplySeeEachOthersEffects) {
  const Told told = run_script({block({call("write", {{"path", "n"}, {"content", "1\n"}}),
                                       bash("cat n"), call("read", {{"path", "n"}})}),
                                "Done."});
  EXPECT_EQ(told.results(), (std::vector<std::string>{"wrote n (1 lines)", "exit 0\n1",
                                                      "n (lines 1-1 of 1)\n1\t1"}));
}

TEST_F(CallsTest, AnUnknownToolIsAnswered) {
  const std::string text = answer(block({call("grep", {{"pattern", "x"}})}));
  EXPECT_EQ(text, "E_TOOL no tool \"grep\". Use search.");
  const auto items = told_.items("item.completed", "tool");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0]["name"], "grep");
  EXPECT_EQ(items[0]["failed"], true);
  EXPECT_EQ(items[0]["result"], text);
}

TEST_F(CallsTest, AMissingArgumentIsAnsweredWithAnExample) {
  const std::string text = answer(block({call("bash", Json::object())}));
  EXPECT_TRUE(text.starts_with("E_ARGS bash: missing \"command\". Got {}. Example: ")) << text;
  EXPECT_EQ(told_.items("item.completed", "tool").size(), 1u);
}

TEST_F(CallsTest, AWrongTypeOfArgumentsIsAnswered) {
  EXPECT_TRUE(answer(block({call("read", Json::array({"a.txt"}))})).starts_with("E_ARGS read: "));
  EXPECT_TRUE(answer(block({call("bash", {{"command", 7}})})).starts_with("E_ARGS bash: "));
}

TEST_F(CallsTest, MalformedJsonIsAnsweredAndTheNextLineRun) {
  const Told told = run_script(
      {block({"{\"name\": \"bash\", \"arguments\": {\"command\": }}", bash("echo ran")}), "Done."});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out;
  const auto results = told.results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_TRUE(results[0].starts_with("E_JSON ")) << results[0];
  EXPECT_EQ(results[1], "exit 0\nran");
}

TEST_F(CallsTest, AReplyThatIsOnlyMalformedIsAnsweredToo) {
  const std::string text = answer(block({"bash: ls"}));
  EXPECT_TRUE(text.starts_with("E_JSON ")) << text;
}

TEST_F(CallsTest, ACutCallIsNeverRun) {
  const std::string whole = bash("touch first");
  const std::string cut = "{\"name\": \"bash\", \"arguments\": {\"command\": \"touch second";
  const std::string model =
      script_lines({{{"text", "<tool_calls>\n" + whole + "\n" + cut}, {"finish", "length"}},
                    {{"text", "Done."}}});
  const Told told = run({"--model", model, "Please help."});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out;
  const auto results = told.results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0], "exit 0");
  EXPECT_TRUE(results[1].starts_with("E_JSON cut off at byte ")) << results[1];
  EXPECT_TRUE(fs::exists(repository_ / "first"));
  EXPECT_FALSE(fs::exists(repository_ / "second"));
  // The end marker that was not sampled is appended, so that the log stays well-formed.
  EXPECT_TRUE(has(detokenize(told.token_log()),
                  "touch second<end_of_sentence>\n<beginning_of_sentence>tool name=tools\n"));
}

TEST_F(CallsTest, AnEndMarkerInsideACallIsAnswered) {
  const std::string text =
      answer("<tool_calls>\n{\"name\": \"write\", \"arguments\": {\"path\": \"x\", \"con");
  EXPECT_TRUE(text.starts_with("E_JSON cut off at byte ")) << text;
  EXPECT_FALSE(fs::exists(repository_ / "x"));
}

TEST_F(CallsTest, AReplyThatIsOnlyACutCallHitsTheLimit) {
  const std::string model = script_lines(
      {{{"text", "<tool_calls>\n{\"name\": \"bash\", \"argum"}, {"finish", "length"}}});
  const Told told = run({"--model", model, "Please help."});
  EXPECT_EQ(told.program.exit_code, 3);
}

TEST_F(CallsTest, InvalidUtf8OfACommandBecomesReplacementCharacters) {
  const std::string text = answer(block({bash("printf 'a\\377b\\n'")}));
  EXPECT_EQ(text,
            "exit 0\na\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(told_.items("item.completed", "command").at(0)["output"],
            "a\xEF\xBF\xBD"
            "b");
}

TEST_F(CallsTest, BinaryOutputIsNamedNotShown) {
  const std::string text = answer(block({bash("head -c 1000 /dev/zero")}));
  EXPECT_EQ(text, "exit 0\nbinary, 1000 bytes");
}

TEST_F(CallsTest, ABinaryFileIsNamedNotShown) {
  write_text(repository_ / "image.png", std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16));
  const std::string text = answer(block({call("read", {{"path", "image.png"}})}));
  EXPECT_TRUE(has(text, "binary, 16 bytes")) << text;
  EXPECT_FALSE(has(text, "IHDR")) << text;
}

TEST_F(CallsTest, LongOutputNamesAFileThatTheModelCanRead) {
  const Told told = run_script({block({bash("seq 1 20000")}), "Done."});
  const std::string text = told.results().at(0);
  EXPECT_LT(text.size(), 16384u);
  const std::string spill = (told.transcript.parent_path() / "spill/1.txt").string();
  EXPECT_TRUE(has(text, "read " + spill)) << text;
  const std::string all = read_text(spill);
  EXPECT_TRUE(all.starts_with("1\n2\n"));
  EXPECT_TRUE(has(all, "\n20000"));
}

TEST_F(CallsTest, TheThirdEqualCallIsToldApart) {
  const std::string again = block({bash("echo same")});
  const Told told = run_script({again, again, again, block({bash("echo other")}), again, "Done."});
  EXPECT_EQ(told.results(), (std::vector<std::string>{
                                "exit 0\nsame", "exit 0\nsame",
                                "E_LOOP same call and result 3 times. Change something or finish.",
                                "exit 0\nother", "exit 0\nsame"}));
}

TEST_F(CallsTest, ALoopIsInTheEventAsItWasTold) {
  const std::string again = block({call("read", {{"path", "a.txt"}})});
  const Told told = run_script({again, again, again, "Done."});
  const auto items = told.items("item.completed", "tool");
  ASSERT_EQ(items.size(), 3u);
  EXPECT_TRUE(items[2]["result"].get<std::string>().starts_with("E_LOOP")) << items[2];
  EXPECT_EQ(items[2]["failed"], true);
}

TEST_F(CallsTest, AFileNamedLikeAnErrorIsNoFailure) {
  write_text(repository_ / "E_x.txt", "text\n");
  const Told told = run_script({block({call("read", {{"path", "E_x.txt"}})}), "Done."});
  for (const Json& record : told.records) {
    if (record["type"] != "result") continue;
    EXPECT_EQ(record["failed"], false) << record;
  }
}

TEST_F(CallsTest, TagsInReasoningAreNoCalls) {
  const Told told = run_script(
      {"<think>\nMaybe " + block({bash("touch thought")}) + "\n</think>\nNo call, just this."});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out;
  EXPECT_FALSE(fs::exists(repository_ / "thought"));
  const auto reasoning = told.items("item.completed", "reasoning");
  ASSERT_EQ(reasoning.size(), 1u);
  EXPECT_TRUE(has(reasoning[0]["text"], "touch thought"));
  EXPECT_EQ(told.last()["usage"]["tool_calls"], 0);
}

TEST_F(CallsTest, TagsInAnArgumentAreData) {
  const std::string content = "</tool_calls> <think> {\"name\": \"bash\"} <end_of_sentence>\n";
  const Told told =
      run_script({block({call("write", {{"path", "t"}, {"content", content}})}), "Done."});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out;
  EXPECT_EQ(read_text(repository_ / "t"), content);
}

TEST_F(CallsTest, ACommandThatArmsATrustedProgramIsToldToTheUser) {
  const Told told =
      run_script({block({bash("mkdir -p .vscode && echo '{}' > .vscode/tasks.json")}), "Done."});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out;
  const auto warnings = told.of_type("warning");
  ASSERT_EQ(warnings.size(), 1u) << told.program.out;
  EXPECT_EQ(warnings[0]["step"], 1);
  EXPECT_TRUE(has(warnings[0]["message"], ".vscode")) << warnings[0];
}

}  // namespace
}  // namespace levin::cli
