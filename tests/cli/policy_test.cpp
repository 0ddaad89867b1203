// Rules about commands through the real program: what the model is told, how the run ends, and
// `levin policy check`.
#include <sstream>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class PolicyTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
  }
  fs::path user_file() const { return home_ / "config/policy.toml"; }
  fs::path project_file() const { return repository_ / ".levin/policy.toml"; }
  test::ProgramRun check(const std::vector<std::string>& words) const {
    std::vector<std::string> arguments = {"policy", "check"};
    if (!words.empty()) arguments.push_back("--");
    arguments.insert(arguments.end(), words.begin(), words.end());
    return levin(arguments);
  }
};

constexpr const char* kNoRemoval = "[[rule]]\nprefix = \"rm\"\ndecision = \"deny\"\n";

TEST_F(PolicyTest, ADeniedCommandDoesNotRunAndTheRunEndsDenied) {
  write_text(user_file(), kNoRemoval);
  const Told told = run_script({block({bash("echo begun; rm a.txt")}), "I could not."});
  EXPECT_EQ(told.program.exit_code, 4) << told.program.out << told.program.err;
  EXPECT_EQ(told.reason(), "denied");
  ASSERT_EQ(told.results().size(), 1u);
  EXPECT_EQ(told.results()[0],
            "E_DENIED echo begun; rm a.txt (rule 1: deny). Do not retry; choose another way or "
            "ask.");
  EXPECT_EQ(read_text(repository_ / "a.txt"), "one\n");
  const auto items = told.items("item.completed", "command");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0]["status"], "denied");
}

TEST_F(PolicyTest, WithoutTheRuleTheSameCommandRuns) {
  const Told told = run_script({block({bash("echo begun; rm a.txt")}), "Done."});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.err;
  EXPECT_EQ(told.results(), std::vector<std::string>{"exit 0\nbegun"});
  EXPECT_FALSE(fs::exists(repository_ / "a.txt"));
}

TEST_F(PolicyTest, AnotherWayAfterADenialIsSuccess) {
  write_text(project_file(), kNoRemoval);
  const Told told =
      run_script({block({bash("rm a.txt")}), block({bash("mv a.txt b.txt")}), "Done."});
  EXPECT_EQ(told.program.exit_code, 0) << told.program.err;
  EXPECT_TRUE(fs::exists(repository_ / "b.txt"));
}

TEST_F(PolicyTest, TheTestToolIsHeldToTheRulesToo) {
  write_text(user_file(), "[[rule]]\nprefix = \"make\"\ndecision = \"ask\"\n");
  const Told told = run_script({block({call("test", {{"command", "make x"}})}), "No."});
  EXPECT_EQ(told.program.exit_code, 4);
  ASSERT_EQ(told.results().size(), 1u);
  EXPECT_TRUE(told.results()[0].starts_with("E_DENIED make x (rule 1: ask, and nobody is there"))
      << told.results()[0];
}

TEST_F(PolicyTest, TheAuditLogTellsWhatRanAndWhatDidNot) {
  write_text(user_file(), kNoRemoval);
  const Told told = run_script({block({bash("rm a.txt"), bash("echo hello; exit 3")}), "No."});
  std::vector<Json> lines;
  std::istringstream text(read_text(home_ / "state/audit.jsonl"));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["ended_by"], "refused");
  EXPECT_TRUE(lines[0]["exit"].is_null());
  EXPECT_EQ(lines[1]["argv"], Json({"bash", "-c", "echo hello; exit 3"}));
  EXPECT_EQ(lines[1]["exit"], 3);
  EXPECT_EQ(lines[1]["output_bytes"], 6);
  EXPECT_EQ(lines[1]["workspace"], fs::canonical(repository_).string());
  EXPECT_EQ(lines[1]["session"], told.events[0]["id"]);
  EXPECT_EQ(lines[1]["rules"], lines[0]["rules"]);
}

TEST_F(PolicyTest, WithoutAnAuditLogNothingRuns) {
  fs::create_directories(home_ / "state/audit.jsonl");
  const auto run = levin({"run", "--model", script({"Done."}), "task"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_TRUE(has(run.err, "cannot open the audit log")) << run.err;
}

TEST_F(PolicyTest, AFailingExampleStopsTheRunBeforeItBegins) {
  write_text(project_file(),
             "[[rule]]\nprefix = \"rm\"\ndecision = \"deny\"\nmatch = [\"rmdir x\"]\n");
  const auto run = levin({"run", "--model", script({"Done."}), "task"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_TRUE(has(run.err,
                  ".levin/policy.toml:4: rule 1: the example \"rmdir x\" of match does "
                  "not match"))
      << run.err;
  const auto files = check({});
  EXPECT_EQ(files.exit_code, 2);
}

TEST_F(PolicyTest, CheckTellsDecisionAndRule) {
  EXPECT_EQ(check({}).out, "no rule files: every command is allowed\n");
  write_text(user_file(), kNoRemoval);
  write_text(project_file(),
             "[[rule]]\nprefix = \"git push\"\ndecision = \"ask\"\nreason = \"r\"\n");
  EXPECT_EQ(check({}).out, user_file().string() + ": 1 rules, otherwise allow\n" +
                               project_file().string() + ": 1 rules, otherwise allow\n");
  EXPECT_EQ(check({"ls"}).out, "allow: no rule matches: ls\n");
  EXPECT_EQ(check({"ls"}).exit_code, 0);
  const auto denied = check({"ls; rm x"});
  EXPECT_EQ(denied.out, "deny: rule 1 (" + user_file().string() + ":1): rm x\n");
  EXPECT_EQ(denied.exit_code, 4);
  EXPECT_EQ(check({"rm", "-rf", "a b"}).out,
            "deny: rule 1 (" + user_file().string() + ":1): rm -rf a b\n");
  EXPECT_EQ(check({"echo", "; rm x"}).exit_code, 0);
  EXPECT_EQ(check({"git push"}).out,
            "ask: rule 2 (" + project_file().string() + ":1): git push: r\n");
}

}  // namespace
}  // namespace levin::cli
