// Repositories in a writable workspace: git works, and what git would execute later is guarded.
#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

class GitTest : public IsolationTest {
 protected:
  void SetUp() override {
    IsolationTest::SetUp();
    if (IsSkipped()) return;
    const ExitReport report = shell(policy(Profile::kOff),
                                    "git init -q . && git config user.name T && "
                                    "git config user.email t@example.org && mkdir -p .git/hooks");
    ASSERT_EQ(report.exit_code, 0) << report.output;
  }
};

TEST_F(GitTest, CommitBranchStashAndCollectWork) {
  const ExitReport report = shell(
      "set -e; git add file; git commit -qm one; git checkout -qb topic; echo 2 > file; git stash "
      "-q; "
      "git stash pop -q; git commit -qam two; git rebase -q HEAD~1; git gc -q; git log "
      "--format=%s");
  EXPECT_EQ(report.exit_code, 0) << report.output;
  EXPECT_EQ(report.output, "two\none\n");
  EXPECT_TRUE(report.protected_changes.empty()) << report.protected_changes.front();
}

TEST_F(GitTest, HooksAndConfigurationCannotBeChanged) {
  const std::string config = read_text(workspace_ / ".git/config");
  for (const char* line : {"echo x > .git/hooks/pre-commit", "git config core.sshCommand evil",
                           "echo x >> .git/config", "rm -f .git/config", "mv .git/hooks .git/h",
                           "rm -rf .git/hooks && mkdir .git/hooks", "mv .git moved",
                           "mv .git/config c; ln -s /tmp/x .git/config"}) {
    EXPECT_NE(shell(line).exit_code, 0) << line;
    EXPECT_EQ(read_text(workspace_ / ".git/config"), config) << line;
    EXPECT_FALSE(fs::exists(workspace_ / ".git/hooks/pre-commit")) << line;
    EXPECT_TRUE(fs::is_directory(workspace_ / ".git/hooks")) << line;
  }
  EXPECT_EQ(shell("cat .git/config").output, config);
}

TEST_F(GitTest, NestedProtectedPathsSurviveRenamesAbove) {
  write_text(workspace_ / "a/b/guarded/f", "kept");
  Policy how = policy(Profile::kWorkspace);
  how.protected_paths.emplace_back("a/b/guarded");
  for (const char* line :
       {"mv a z", "mv a/b a/z", "mv a/b/guarded a/b/z", "rm -rf a", "echo x > a/b/guarded/f"}) {
    EXPECT_NE(shell(how, line).exit_code, 0) << line;
    EXPECT_EQ(read_text(workspace_ / "a/b/guarded/f"), "kept") << line;
  }
  EXPECT_EQ(shell(how, "echo y > a/b/free && echo z > a/free").exit_code, 0);
}

TEST_F(GitTest, AProtectedLinkDoesNotLeadOut) {
  fs::remove_all(workspace_ / ".git/hooks");
  fs::create_directory_symlink(home_ / ".ssh", workspace_ / ".git/hooks");
  const ExitReport report = shell("ls .git/hooks/; cat .git/hooks/id_test; echo done");
  EXPECT_FALSE(has(report.output, "private-key-bytes")) << report.output;
  EXPECT_FALSE(has(report.output, "id_test\n")) << report.output;
  EXPECT_TRUE(report.output.ends_with("done\n"));
}

TEST_F(GitTest, ALinkedWorktreeCanReadItsRepository) {
  const ExitReport made = shell(
      policy(Profile::kOff), "git add file && git commit -qm one && git worktree add -q ../tree");
  ASSERT_EQ(made.exit_code, 0) << made.output;
  workspace_ = home_ / "code/tree";
  const ExitReport log = shell("git log --format=%s && git status --short");
  EXPECT_EQ(log.output, "one\n");
  const ExitReport write = shell("git commit --allow-empty -qm two; echo 'gitdir: /etc' > .git");
  EXPECT_NE(write.exit_code, 0);
  EXPECT_EQ(shell("git log --format=%s").output, "one\n");
}

}  // namespace
}  // namespace levin::sandbox
