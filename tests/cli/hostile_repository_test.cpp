// Repositories that were prepared to run something as soon as a tool looks at them. Every trap is
// first shown to work with git itself; then levin does all that it does, and no trap goes off.
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class HostileRepositoryTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    trap_ = root_ / "trap.sh";
    // Works as a filter, a diff driver, a pager, an editor, a hook: it lets its input through.
    write_text(trap_, "#!/bin/sh\necho \"$0 $*\" >> " + mark().string() + "\ncat 2>/dev/null\n");
    fs::permissions(trap_, fs::perms::owner_all);
    make_repository({{"a.txt", "one\n"}, {".gitattributes", "*.txt diff=trap filter=trap\n"}});
  }
  fs::path mark() const { return root_ / "mark"; }
  bool is_sprung() const { return fs::exists(mark()); }

  test::ProgramRun git(const std::vector<std::string>& arguments, const fs::path& folder) const {
    std::vector<std::string> argv = {"git"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    test::ProgramOptions options;
    options.folder = folder.string();
    options.environment = environment();
    return test::run_program(argv, options);
  }
  void set(const std::string& key, const std::string& value) const {
    ASSERT_EQ(git({"config", key, value}, repository_).exit_code, 0) << key;
  }
  // All that levin does with a repository on its own account.
  void use_levin(const fs::path& folder) {
    test::ProgramOptions options;
    options.folder = folder.string();
    const std::string model =
        script({block({call("write", {{"path", "b.txt"}, {"content", "new\n"}}),
                       call("edit", {{"path", "a.txt"},
                                     {"edits", Json::array({{{"old", "one"}, {"new", "two"}}})}}),
                       call("search", {{"pattern", "two"}})}),
                "Done."});
    const auto run = levin({"run", "--json", "--model", model, "task"}, options);
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
    const std::string id = Json::parse(run.out.substr(0, run.out.find('\n')))["id"];
    EXPECT_EQ(levin({"diff", id}, options).exit_code, 0);
    EXPECT_EQ(levin({"undo"}, options).exit_code, 0);
    EXPECT_EQ(levin({"sessions"}, options).exit_code, 0);
  }

  fs::path trap_;
};

TEST_F(HostileRepositoryTest, ConfiguredProgramsDoNotRun) {
  for (const char* key :
       {"core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "diff.external",
        "diff.trap.textconv", "diff.trap.command", "filter.trap.clean", "filter.trap.smudge",
        "filter.trap.process", "sequence.editor", "gpg.program", "credential.helper"}) {
    set(key, trap_.string());
  }
  set("alias.status", "!" + trap_.string());
  set("alias.diff", "!" + trap_.string());
  set("commit.gpgSign", "true");
  for (const char* hook : {"pre-commit", "post-checkout", "post-index-change",
                           "reference-transaction", "fsmonitor-watchman"}) {
    write_text(repository_ / ".git/hooks" / hook, "#!/bin/sh\nexec " + trap_.string() + " hook\n");
    fs::permissions(repository_ / ".git/hooks" / hook, fs::perms::owner_all);
  }
  write_text(repository_ / "a.txt", "one\nmore\n");
  git({"status"}, repository_);
  ASSERT_TRUE(is_sprung()) << "the trap does not work with git either";
  fs::remove(mark());
  use_levin(repository_);
  EXPECT_FALSE(is_sprung()) << read_text(mark());
}

TEST_F(HostileRepositoryTest, ABareRepositoryInAFolderIsNotTaken) {
  // Looks like a repository of its own to whoever stands in it.
  const fs::path nested = repository_ / "nested";
  fs::create_directories(nested);
  ASSERT_EQ(git({"init", "-q", "--bare", "."}, nested).exit_code, 0);
  write_text(nested / "config",
             "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = " +
                 nested.string() + "\n\tfsmonitor = " + trap_.string() + "\n");
  git({"status"}, nested);
  ASSERT_TRUE(is_sprung()) << "the trap does not work with git either";
  fs::remove(mark());
  use_levin(repository_);
  EXPECT_FALSE(is_sprung()) << read_text(mark());
  // From within: whatever levin takes it for, nothing of it runs.
  test::ProgramOptions options;
  options.folder = nested.string();
  levin({"run", "--json", "--model", script({block({bash("echo x")}), "Done."}), "task"}, options);
  levin({"undo"}, options);
  EXPECT_FALSE(is_sprung()) << read_text(mark());
}

TEST_F(HostileRepositoryTest, ASubmoduleWithACommandAsItsAddressIsNotFetched) {
  const fs::path server = root_ / "server.sh";
  write_text(server, "#!/bin/sh\necho fetched >> " + mark().string() + "\nexit 1\n");
  fs::permissions(server, fs::perms::owner_all);
  const std::string address = "ext::" + server.string();
  write_text(repository_ / ".gitmodules",
             "[submodule \"s\"]\n\tpath = s\n\turl = " + address + "\n\tupdate = checkout\n");
  ASSERT_EQ(git({"update-index", "--add", "--cacheinfo",
                 "160000,1111111111111111111111111111111111111111,s"},
                repository_)
                .exit_code,
            0);
  // git itself refuses unless it is told to trust; then the trap goes off.
  git({"-c", "protocol.ext.allow=always", "submodule", "update", "--init"}, repository_);
  ASSERT_TRUE(is_sprung()) << "the trap does not work with git either";
  fs::remove(mark());
  use_levin(repository_);
  EXPECT_FALSE(is_sprung()) << read_text(mark());
  // And a model that insists reaches nothing outside of the workspace.
  const Told told = run_script(
      {block({bash("git -c protocol.ext.allow=always submodule update --init; echo tried")}),
       "Done."});
  ASSERT_EQ(told.results().size(), 1u);
  EXPECT_TRUE(has(told.results()[0], "tried")) << told.results()[0];
  EXPECT_FALSE(is_sprung()) << read_text(mark());
}

TEST_F(HostileRepositoryTest, ProgramsOfTheWorkspaceDoNotStandInForTools) {
  // The user has a folder of the workspace first in PATH, with traps named like the tools.
  const fs::path tools = repository_ / "bin";
  for (const char* name : {"git", "bwrap", "bash", "sh", "true", "levin", "levin-warden"}) {
    write_text(tools / name,
               "#!/bin/sh\necho " + std::string(name) + " >> " + mark().string() + "\n");
    fs::permissions(tools / name, fs::perms::owner_all);
  }
  write_text(repository_ / ".env", "PATH=" + tools.string() + "\nLD_PRELOAD=/nowhere.so\n");
  write_text(repository_ / ".envrc", "touch " + mark().string() + "\n");
  test::ProgramOptions options;
  options.environment = {{"PATH", tools.string() + ":" + std::getenv("PATH")}};
  const Told told = run_script({block({bash("command -v git; echo ran")}), "Done."}, {}, options);
  EXPECT_EQ(told.program.exit_code, 0) << told.program.err;
  ASSERT_EQ(told.results().size(), 1u);
  EXPECT_TRUE(has(told.results()[0], "ran")) << told.results()[0];
  EXPECT_FALSE(has(told.results()[0], tools.string())) << told.results()[0];
  EXPECT_FALSE(is_sprung()) << read_text(mark());
}

}  // namespace
}  // namespace levin::cli
