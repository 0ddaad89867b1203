// Attempts after a failed one, tests after edits, and the configuration that both read.
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class AttemptsTest : public CliTest {
 protected:
  static constexpr const char* kTest = "grep -q right a.txt";

  static std::string edit(const std::string& old_text, const std::string& new_text) {
    return call("edit", {{"path", "a.txt"},
                         {"edits", Json::array({{{"old", old_text}, {"new", new_text}}})}});
  }
  test::ProgramRun run_with_retries(const std::vector<std::string>& replies, int retries) {
    make_repository({{"a.txt", "wrong\n"}});
    return levin({"run", "--json", "--model", script(replies), "--retries", std::to_string(retries),
                  "Please help."});
  }
  static std::vector<Json> events(const test::ProgramRun& program, const std::string& type) {
    std::vector<Json> found;
    std::istringstream lines(program.out);
    for (std::string line; std::getline(lines, line);) {
      Json event = Json::parse(line);
      if (event["type"] == type) found.push_back(std::move(event));
    }
    return found;
  }
  std::string last_words(const test::ProgramRun& program) const {
    return program.out.substr(program.out.rfind('\n', program.out.size() - 2) + 1);
  }
};

TEST_F(AttemptsTest, AFailedAttemptIsTakenBackWholly) {
  const auto program =
      run_with_retries({block({bash(kTest)}), block({edit("wrong", "worse")}), "Fixed it.",
                        block({bash(kTest)}), block({edit("wrong", "right")}), "Fixed it now."},
                       2);
  EXPECT_EQ(program.exit_code, 0) << program.out << program.err;
  EXPECT_EQ(read_text(repository_ / "a.txt"), "right\n");
  const auto retries = events(program, "retry");
  ASSERT_EQ(retries.size(), 1u) << program.out;
  EXPECT_EQ(retries[0]["attempt"], 2);
  EXPECT_EQ(retries[0]["attempts"], 3);
  EXPECT_EQ(retries[0]["reason"], "`grep -q right a.txt` still ends with exit code 1");
  // Log and figures begin again where the first reply began.
  const auto states = events(program, "state");
  ASSERT_EQ(states.size(), 6u);
  EXPECT_EQ(states[3]["prefilled"], 0);
  EXPECT_EQ(states[3]["reused"],
            states[0]["reused"].get<int>() + states[0]["prefilled"].get<int>());
  EXPECT_EQ(states[3]["step"], 4);
  EXPECT_EQ(events(program, "run.completed")[0]["usage"]["steps"], 6);
  // All of it is in the session, which can be gone on with and back in.
  EXPECT_EQ(levin({"undo"}).exit_code, 0);
  EXPECT_EQ(read_text(repository_ / "a.txt"), "wrong\n");
}

TEST_F(AttemptsTest, AnEditThatChangesNothingEndsAnAttempt) {
  const auto program =
      run_with_retries({block({bash(kTest)}), block({edit("wrong", "wrong")}), block({bash(kTest)}),
                        block({edit("wrong", "right")}), "Fixed it."},
                       1);
  EXPECT_EQ(program.exit_code, 0) << program.out << program.err;
  EXPECT_EQ(read_text(repository_ / "a.txt"), "right\n");
  EXPECT_EQ(events(program, "retry").size(), 1u);
}

TEST_F(AttemptsTest, TheLastFailureIsToldByItsExitCode) {
  const auto program =
      run_with_retries({block({bash(kTest)}), block({edit("wrong", "worse")}), "Fixed it.",
                        block({bash(kTest)}), block({edit("wrong", "worst")}), "Fixed it."},
                       1);
  EXPECT_EQ(program.exit_code, 5) << program.out;
  const auto failed = events(program, "run.failed");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0]["reason"], "checks");
  EXPECT_EQ(read_text(repository_ / "a.txt"), "worst\n");
}

TEST_F(AttemptsTest, OnlyARepairIsJudged) {
  // A command that failed and no edit; an edit and no command that failed.
  EXPECT_EQ(run_with_retries({block({bash(kTest)}), "One test fails."}, 2).exit_code, 0);
  const auto edited = run_with_retries({block({edit("wrong", "worse")}), "Done."}, 2);
  EXPECT_EQ(edited.exit_code, 0) << edited.err;
  EXPECT_EQ(events(edited, "retry").size(), 0u);
}

// Not by --max-turns, which is far away.
TEST_F(AttemptsTest, AnAttemptThatTakesTooLongSaysByWhichLimit) {
  std::vector<std::string> replies;
  for (int step = 0; step < 11; ++step) {
    replies.push_back(block({bash("echo " + std::to_string(step))}));
  }
  const auto program = run_with_retries(replies, 1);
  EXPECT_EQ(program.exit_code, 3) << program.err;
  const auto failed = events(program, "run.failed");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0]["reason"], "max_turns");
  EXPECT_EQ(failed[0]["message"], "no answer after 10 replies, the most for one of 2 attempts");
}

TEST_F(AttemptsTest, WithoutRetriesNothingIsJudged) {
  const auto program =
      run_with_retries({block({bash(kTest)}), block({edit("wrong", "worse")}), "Fixed it."}, 0);
  EXPECT_EQ(program.exit_code, 0);
  EXPECT_EQ(events(program, "retry").size(), 0u);
}

TEST_F(AttemptsTest, TheProjectsTestsRunAfterEditsWhenAsked) {
  make_repository(
      {{"a.txt", "wrong\n"}, {".levin/config.toml", "test_command = \"grep -c right a.txt\"\n"}});
  const Told told = run_script({block({edit("wrong", "worse")}), block({edit("worse", "right")}),
                                block({bash("true")}), "Done."},
                               {"--test-after-edits"});
  const std::vector<std::string> results = told.results();
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(has(results[0], "\ntests: exit 1 (grep -c right a.txt)")) << results[0];
  EXPECT_TRUE(has(results[1], "\ntests: exit 0 (grep -c right a.txt)")) << results[1];
  EXPECT_FALSE(has(results[2], "tests:")) << results[2];
  test::ProgramOptions options;
  options.standard_input = "{}";
  EXPECT_EQ(levin({"tool", "test"}, options).out, "exit 0 (grep -c right a.txt)\n");
}

TEST_F(AttemptsTest, AConfigurationThatCannotBeReadStopsTheRun) {
  make_repository({{"a.txt", "a\n"}, {".levin/config.toml", "test_comand = \"make\"\n"}});
  const test::ProgramRun program = levin({"run", "--model", script({"Done."}), "Hello."});
  EXPECT_EQ(program.exit_code, 2);
  EXPECT_TRUE(has(program.err, ".levin/config.toml:1: unknown key \"test_comand\"")) << program.err;
}

}  // namespace
}  // namespace levin::cli
