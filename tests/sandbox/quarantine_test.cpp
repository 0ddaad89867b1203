// Protected paths that were missing: what a command makes there does not stay in the workspace.
#include "sandbox/quarantine.h"

#include <signal.h>

#include <algorithm>

#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

class QuarantineTest : public IsolationTest {
 protected:
  Policy guarded() const {
    Policy how = policy(Profile::kWorkspace);
    how.quarantine_folder = (root_ / "state/quarantine").string();
    return how;
  }
  static std::vector<std::string> paths(const ExitReport& report) {
    std::vector<std::string> all;
    for (const Quarantined& moved : report.quarantined) all.push_back(moved.path);
    std::ranges::sort(all);
    return all;
  }
};

TEST_F(QuarantineTest, WhatAppearsIsMovedAwayAndKept) {
  const ExitReport none =
      shell(guarded(), "echo x > ordinary; mkdir -p a/.vscode; echo y > b.envrc");
  EXPECT_TRUE(none.quarantined.empty());
  EXPECT_TRUE(none.protected_changes.empty());
  const ExitReport made =
      shell(guarded(),
            "mkdir .vscode && echo x > .vscode/tasks.json; ln -s file .envrc; echo {} > .mcp.json");
  EXPECT_EQ(paths(made), (std::vector<std::string>{".envrc", ".mcp.json", ".vscode"}));
  EXPECT_TRUE(made.protected_changes.empty());
  for (const Quarantined& moved : made.quarantined) {
    EXPECT_FALSE(fs::exists(fs::symlink_status(workspace_ / moved.path))) << moved.path;
    EXPECT_TRUE(fs::exists(fs::symlink_status(moved.place))) << moved.place;
    EXPECT_EQ(read_text(fs::path(moved.place).parent_path() / "ORIGIN"),
              (workspace_ / moved.path).string() + "\n");
    if (moved.path == ".vscode") {
      EXPECT_EQ(read_text(moved.place + "/tasks.json"), "x\n");
    }
  }
  EXPECT_EQ(read_text(workspace_ / "file"), "original") << "the link is moved, not what it names";
  EXPECT_EQ(fs::status(root_ / "state/quarantine").permissions(), fs::perms::owner_all);
}

TEST_F(QuarantineTest, WithoutAFolderItIsReportedAndGuardedFromThenOn) {
  const ExitReport made = shell("mkdir .vscode && echo x > .vscode/tasks.json; ln -s file .envrc");
  EXPECT_EQ(made.protected_changes, (std::vector<std::string>{".vscode", ".envrc"}));
  EXPECT_TRUE(fs::exists(workspace_ / ".vscode"));
  EXPECT_NE(shell("echo y > .vscode/tasks.json").exit_code, 0);
}

TEST_F(QuarantineTest, FilesByChoice) {
  Policy how = guarded();
  how.protected_paths.emplace_back("AGENTS.md");
  EXPECT_EQ(paths(shell(how, "echo obey > AGENTS.md")), std::vector<std::string>{"AGENTS.md"});
  write_text(workspace_ / "AGENTS.md", "mine");
  EXPECT_NE(shell(how, "echo obey > AGENTS.md").exit_code, 0);
  EXPECT_EQ(read_text(workspace_ / "AGENTS.md"), "mine");
}

TEST_F(QuarantineTest, ANewRepositoryWorksButIsNotArmed) {
  const ExitReport plain =
      shell(guarded(),
            "set -e; git init -q sub/deep; cd sub/deep; git config user.name T; "
            "git config user.email t@example.org; echo 1 > f; git add f; git commit -qm one; "
            "git log --format=%s; git init -q --bare ../bare; git remote add o ../bare; git push "
            "-q o HEAD");
  EXPECT_EQ(plain.exit_code, 0) << plain.output;
  EXPECT_EQ(plain.output, "one\n");
  EXPECT_EQ(paths(plain), std::vector<std::string>()) << "nothing in them starts a program";
  const std::string git = "sub/deep/.git";
  const ExitReport armed = shell(guarded(), "printf '#!/bin/sh\\n' > " + git +
                                                "/hooks/pre-commit; "
                                                "echo '* diff=x' > " +
                                                git +
                                                "/info/attributes; "
                                                "echo ../x > " +
                                                git + "/commondir");
  EXPECT_EQ(paths(armed), (std::vector<std::string>{git + "/commondir", git + "/hooks/pre-commit",
                                                    git + "/info/attributes"}));
  EXPECT_FALSE(fs::exists(workspace_ / git / "hooks/pre-commit"));
  EXPECT_TRUE(fs::exists(workspace_ / git / "config"));
}

TEST_F(QuarantineTest, HostileRepositoriesAreFoundInAnyDress) {
  const Policy how = guarded();
  const auto sandbox = Sandbox::open(how);
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  const auto made_by = [&](const std::string& line) {
    const auto report = sandbox->run({.argv = {"bash", "-c", "echo started; " + line}});
    EXPECT_TRUE(report && report->output.starts_with("started")) << line;
    return report ? paths(*report) : std::vector<std::string>();
  };
  using List = std::vector<std::string>;
  const std::string monitor = " config core.fsmonitor ./evil";
  EXPECT_EQ(made_by("git init -q a; git -C a" + monitor), List{"a/.git/config"});
  EXPECT_EQ(made_by("git init -q --bare b; git -C b" + monitor), List{"b/config"});
  // Put together under another name, then renamed by a second command.
  EXPECT_EQ(made_by("mkdir -p c/x/hooks; echo > c/x/hooks/post-checkout"), List{});
  EXPECT_EQ(made_by("mv c/x c/.git"), List{"c/.git/hooks/post-checkout"});
  EXPECT_EQ(made_by("mkdir d; ln -s ../a/.git d/.git"), List{"d/.git"});
  EXPECT_EQ(made_by("mkdir e; echo 'gitdir: /tmp' > e/.git"), List{"e/.git"});
  EXPECT_EQ(made_by("git init -q f; rmdir f/.git/hooks 2>/dev/null || rm -r f/.git/hooks; "
                    "ln -s /tmp f/.git/hooks"),
            List{"f/.git/hooks"});
  // Two folders up is a repository's place only from its own worktrees.
  EXPECT_EQ(made_by("git init -q g; git init -q g/h/i; git -C g" + monitor +
                    "; mv g/.git/* g/; echo ../.. > g/h/i/.git/commondir"),
            (List{"g/config", "g/h/i/.git/commondir"}));
  EXPECT_EQ(
      made_by("git init -q k; cd k; git -c user.name=T -c user.email=t@example.org commit "
              "-q --allow-empty -m one; git worktree add -q w 2>/dev/null; git -C w status -s"),
      List{});
  // Of the person, between two commands: known from then on.
  write_text(workspace_ / "mine/.git/hooks/pre-push", "#!/bin/sh\n");
  EXPECT_EQ(made_by("echo x > mine/file"), List{});
  EXPECT_TRUE(fs::exists(workspace_ / "mine/.git/hooks/pre-push"));
  // Made by a command that still runs when another one begins and ends.
  auto job = sandbox->start({.argv = {"bash", "-c",
                                      "git init -q j; echo > j/.git/hooks/update; "
                                      "echo made; exec sleep 3600.77"}});
  ASSERT_TRUE(job) << job.error().message();
  for (char byte = 0; byte != '\n' && !job->has_ended();) {
    if (::read(job->output_fd(), &byte, 1) != 1) ::usleep(1000);
  }
  EXPECT_EQ(made_by("true"), List{"j/.git/hooks/update"});
  job->signal(SIGKILL);
  ASSERT_TRUE(job->wait());
  // Changed, it stays, and is named.
  const auto changed = sandbox->run({.argv = {"sh", "-c", "echo y >> mine/.git/hooks/pre-push"}});
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->protected_changes, List{"mine/.git/hooks/pre-push"});
}

TEST_F(QuarantineTest, AcrossDisksItIsCopied) {
  const fs::path other = "/dev/shm";
  if (!fs::is_directory(other) || ::access(other.c_str(), W_OK) != 0) {
    GTEST_SKIP() << "no second file system to write";
  }
  std::string pattern = (other / "levin-quarantine-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  write_text(workspace_ / ".idea/a/b", "kept");
  fs::create_symlink("/etc/passwd", workspace_ / ".idea/link");
  const auto place = move_to_quarantine(workspace_.string(), ".idea", pattern);
  ASSERT_TRUE(place) << place.error().message();
  EXPECT_FALSE(fs::exists(workspace_ / ".idea"));
  EXPECT_EQ(read_text(fs::path(*place) / "a/b"), "kept");
  EXPECT_TRUE(fs::is_symlink(fs::path(*place) / "link"));
  fs::remove_all(pattern);
  fs::create_directory_symlink(home_ / ".ssh", workspace_ / "way");
  EXPECT_FALSE(move_to_quarantine(workspace_.string(), "way/id_test", (root_ / "q").string()));
  EXPECT_TRUE(fs::exists(home_ / ".ssh/id_test"));
}

}  // namespace
}  // namespace levin::sandbox
