// The events, figures and answers of `levin run --json` with replies from a script.
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class EventsTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\ntwo\n"}});
  }
};

TEST_F(EventsTest, AWholeRunIsToldInOrder) {
  const Told told = run_script(
      {"<think>\nI should look.\n</think>\nI look.\n" +
           block({bash("echo hello"), call("read", {{"path", "a.txt"}})}),
       block({call("edit", {{"path", "a.txt"}, {"edits", {{{"old", "two"}, {"new", "three"}}}}}),
              call("write", {{"path", "new/b.txt"}, {"content", "b\n"}})}),
       "All done."});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.out << told.program.err;
  const auto completed = told.items("item.completed");
  ASSERT_EQ(completed.size(), 7u) << told.program.out;
  EXPECT_EQ(completed[0]["type"], "reasoning");
  EXPECT_EQ(completed[0]["text"], "I should look.");
  EXPECT_EQ(completed[1]["text"], "I look.");
  EXPECT_EQ(completed[2]["type"], "command");
  EXPECT_EQ(completed[2]["command"], "echo hello");
  EXPECT_EQ(completed[2]["exit_code"], 0);
  EXPECT_EQ(completed[2]["output"], "hello");
  EXPECT_EQ(completed[2]["status"], "completed");
  EXPECT_EQ(completed[3]["type"], "tool");
  EXPECT_EQ(completed[3]["name"], "read");
  EXPECT_EQ(completed[3]["result"], "a.txt (lines 1-2 of 2)\n1\tone\n2\ttwo");
  EXPECT_EQ(completed[3]["failed"], false);
  EXPECT_EQ(completed[4]["type"], "file_change");
  EXPECT_EQ(completed[4]["path"], "a.txt");
  EXPECT_EQ(completed[4]["kind"], "update");
  EXPECT_TRUE(has(completed[4]["diff"], "-two\n+three\n")) << completed[4];
  EXPECT_EQ(completed[5]["path"], "new/b.txt");
  EXPECT_EQ(completed[5]["kind"], "add");
  EXPECT_EQ(completed[6]["text"], "All done.");
  EXPECT_EQ(told.of_type("state").size(), 3u);
  const Json usage = told.last()["usage"];
  EXPECT_EQ(usage["tool_calls"], 4);
  EXPECT_EQ(usage["files_changed"], 2);
  EXPECT_EQ(read_text(repository_ / "a.txt"), "one\nthree\n");
  EXPECT_EQ(read_text(repository_ / "new/b.txt"), "b\n");
}

TEST_F(EventsTest, EveryEventOfAStepCarriesItsNumber) {
  const Told told = run_script({"First.\n" + block({bash("true")}),
                                "Second.\n" + block({bash("true"), bash("false")}), "Third."});
  std::map<int, int> completed;
  for (const Json& event : told.of_type("item.completed")) ++completed[event["step"].get<int>()];
  EXPECT_EQ(completed, (std::map<int, int>{{1, 2}, {2, 3}, {3, 1}}));
}

TEST_F(EventsTest, DeltasOfAMessageAndOfACommandMakeItsWhole) {
  const Told told = run_script({block({bash("echo one; echo two")}), "Some words in a row."});
  std::map<std::string, std::string> deltas;
  for (const Json& event : told.of_type("item.updated")) {
    deltas[event["item"]["type"]] += event["delta"].get<std::string>();
  }
  EXPECT_EQ(deltas["command"], "one\ntwo\n");
  EXPECT_EQ(deltas["message"], "Some words in a row.");
}

TEST_F(EventsTest, StdoutIsOnlyJsonAndProseGoesToStderr) {
  const Told told = run_script({"Done."});
  EXPECT_EQ(told.program.exit_code, 0);
  EXPECT_TRUE(has(told.program.err, "a script, not a model")) << told.program.err;
  EXPECT_TRUE(has(told.program.err, told.transcript.string())) << told.program.err;
}

TEST_F(EventsTest, WithoutJsonAPersonSeesTextCommandDiffAndFigures) {
  const std::string model =
      script({"I look.\n" + block({bash("echo hello"),
                                   call("edit", {{"path", "a.txt"},
                                                 {"edits", {{{"old", "one"}, {"new", "uno"}}}}})}),
              "All done."});
  const test::ProgramRun run = levin({"run", "--model", model, "Please help."});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  for (const char* part : {"I look.", "echo hello", "hello", "-one", "+uno", "All done.",
                           "prefilled", "reused", "generated"}) {
    EXPECT_TRUE(has(run.out, part)) << part << " in:\n" << run.out;
  }
  EXPECT_FALSE(has(run.out, "\x1b")) << "colour without a terminal";
}

TEST_F(EventsTest, FilesThatACommandChangesAreCounted) {
  write_text(repository_ / "untracked.txt", "there before\n");
  const Told told = run_script({block({bash("echo x >> a.txt; echo y > c.txt")}), "Done."});
  EXPECT_EQ(told.last()["usage"]["files_changed"], 2) << told.program.out;
}

TEST_F(EventsTest, AFailingCommandHasCompletedWithItsCode) {
  const Told told = run_script({block({bash("exit 3"), bash("kill -9 $$")}), "Done."});
  const auto commands = told.items("item.completed", "command");
  ASSERT_EQ(commands.size(), 2u);
  EXPECT_EQ(commands[0]["exit_code"], 3);
  EXPECT_EQ(commands[0]["status"], "completed");
  EXPECT_TRUE(commands[1]["exit_code"].is_null());
  EXPECT_EQ(told.results()[1], "killed by SIGKILL");
}

TEST_F(EventsTest, ScriptEndIsAFailure) {
  const Told told = run_script({block({bash("true")})});
  EXPECT_EQ(told.program.exit_code, 1);
  EXPECT_EQ(told.reason(), "script_end");
}

TEST_F(EventsTest, AnEmptyScriptEndsAtOnce) {
  const Told told = run_script({});
  EXPECT_EQ(told.program.exit_code, 1);
  EXPECT_EQ(told.reason(), "script_end");
  EXPECT_TRUE(told.of_type("state").empty());
}

TEST_F(EventsTest, ChunkAndPaceDoNotChangeWhatIsTold) {
  const std::vector<std::string> replies = {"Ünïcödé words.\n" + block({bash("echo é")}), "Fine."};
  const Told plain = run_script(replies);
  const Told chunked = run_script(replies, {"--script-chunk", "7", "--script-pace-ms", "1"});
  EXPECT_EQ(plain.token_log(), chunked.token_log());
  EXPECT_EQ(plain.results(), chunked.results());
}

TEST_F(EventsTest, TheTaskMayComeFromStandardInput) {
  test::ProgramOptions options;
  options.standard_input = "A task\nof two lines.\n";
  const Told told = run({"--model", script({"Done."}), "-"}, options);
  EXPECT_EQ(told.program.exit_code, 0);
  for (const Json& record : told.records) {
    if (record["type"] == "message" && record["role"] == "user") {
      EXPECT_EQ(record["text"], "A task\nof two lines.");
    }
  }
}

TEST_F(EventsTest, ARunInASubfolderWorksInTheWholeRepository) {
  fs::create_directories(repository_ / "sub");
  test::ProgramOptions options;
  options.folder = (repository_ / "sub").string();
  const Told told = run({"--model", script({block({bash("pwd")}), "Done."}), "Look."}, options);
  EXPECT_EQ(told.results().at(0), "exit 0\n" + repository_.string());
}

}  // namespace
}  // namespace levin::cli
