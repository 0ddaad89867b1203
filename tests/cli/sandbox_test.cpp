// levin sandbox: any command under the policy that a model's commands get, tried from outside.
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class SandboxCommandTest : public CliTest {
 protected:
  test::ProgramRun box(std::vector<std::string> options, const std::string& line,
                       const std::string& input = "") const {
    options.insert(options.begin(), "sandbox");
    options.insert(options.end(), {"--", "sh", "-c", "echo started; " + line});
    test::ProgramOptions how;
    how.standard_input = input;
    how.folder = repository_.string();
    test::ProgramRun run = levin(options, how);
    EXPECT_TRUE(run.out.starts_with("started")) << run.out << run.err;
    return run;
  }
};

TEST_F(SandboxCommandTest, ExitCodesAndSignalsAreAsOutside) {
  EXPECT_EQ(box({}, "exit 42").exit_code, 42);
  EXPECT_EQ(box({}, "kill -SEGV $$").exit_code, 128 + 11);
  const auto missing = levin({"sandbox", "--", "no-such-program-here"});
  EXPECT_EQ(missing.exit_code, 127);
  EXPECT_TRUE(has(missing.out, "no-such-program-here: not found")) << missing.out;
}

TEST_F(SandboxCommandTest, InputComesInAndTheWorkspaceIsWritable) {
  const auto run = box({}, "cat > made; cat made", "given");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "started\ngiven");
  EXPECT_TRUE(fs::exists(repository_ / "made"));
}

TEST_F(SandboxCommandTest, ProfilesAndFoldersDecideAboutWrites) {
  EXPECT_NE(box({"--profile", "read-only"}, "echo x > made").exit_code, 0);
  EXPECT_FALSE(fs::exists(repository_ / "made"));
  const fs::path more = root_ / "more";
  fs::create_directories(more);
  const std::string write = "echo x > " + (more / "new").string();
  EXPECT_NE(box({"--workspace", repository_.string()}, "exec 2>&1; cd " + more.string()).exit_code,
            0);
  EXPECT_EQ(box({"--profile", "read-only", "--allow-write", more.string()}, write).exit_code, 0);
  EXPECT_TRUE(fs::exists(more / "new"));
  EXPECT_EQ(box({"--profile", "full"}, write + "2").exit_code, 0);
}

TEST_F(SandboxCommandTest, LimitsEndACommandWithTheirName) {
  const auto late = box({"--limit", "wall=1"}, "sleep 60");
  EXPECT_EQ(late.exit_code, 3);
  EXPECT_TRUE(has(late.err, "time")) << late.err;
  const auto wrong = levin({"sandbox", "--limit", "wishes=3", "--", "true"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_TRUE(has(wrong.err, "wishes=3")) << wrong.err;
}

TEST_F(SandboxCommandTest, WhatAppearsInProtectedPlacesIsMovedAwayAndTold) {
  write_text(repository_ / ".levin/config.toml", "protect = ['AGENTS.md']\n");
  const auto run = box({}, "echo obey > AGENTS.md; echo x > .envrc; mkdir -p sub; git init -q sub; "
                           "echo > sub/.git/hooks/pre-commit; echo y > kept");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(fs::exists(repository_ / "kept"));
  EXPECT_TRUE(fs::exists(repository_ / "sub/.git/config"));
  for (const char* path : {"AGENTS.md", ".envrc", "sub/.git/hooks/pre-commit"}) {
    EXPECT_FALSE(fs::exists(repository_ / path)) << path;
    EXPECT_TRUE(has(run.err, "the command made " + std::string(path) + ",")) << run.err;
  }
  // The model is told too, and the log.
  const Told told = run_script({block({bash("mkdir .vscode; echo x > .vscode/tasks.json")}), "Done."});
  ASSERT_EQ(told.results().size(), 1u);
  EXPECT_TRUE(has(told.results()[0], "moved out of the workspace: .vscode (")) << told.results()[0];
  ASSERT_EQ(told.of_type("warning").size(), 1u);
  EXPECT_FALSE(fs::exists(repository_ / ".vscode"));
}

TEST_F(SandboxCommandTest, ATerminalOnRequest) {
  const auto run = levin({"sandbox", "--pty", "--", "sh", "-c", "test -t 1 && stty size"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "24 80\r\n");
}

}  // namespace
}  // namespace levin::cli
