#include "sandbox/plan.h"

#include <algorithm>
#include <map>

#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

using Words = std::vector<std::string>;

HostView example_host() {
  HostView host;
  host.system_folders = {"/usr", "/etc"};
  host.root_links = {{"/bin", "usr/bin"}};
  host.hidden_files = {"/etc/shadow"};
  host.hidden_folders = {"/etc/ssh"};
  host.home = "/home/u";
  host.toolchains = {{"/data/pyenv", "/home/u/.pyenv"}};
  return host;
}

Policy example_policy(Profile profile) {
  Policy policy;
  policy.profile = profile;
  policy.workspace = "/home/u/project";
  policy.environment = {{"PATH", "/usr/bin"}, {"HOME", "/home/u"}};
  return policy;
}

WorkspaceView example_workspace() {
  return {{"/home/u/project/.git"}, {"/home/u/project/.git/hooks"}};
}

CellPlan plan(Profile profile) {
  return plan_cell(example_policy(profile), example_host());
}

using Kind = MountOp::Kind;

// The position of the operation of this kind at `target`; fails the test when there is none.
std::ptrdiff_t place(const CellPlan& plan, Kind kind, const std::string& target) {
  const auto found = std::ranges::find_if(
      plan.mounts, [&](const MountOp& op) { return op.kind == kind && op.target == target; });
  EXPECT_NE(found, plan.mounts.end()) << target;
  return found - plan.mounts.begin();
}

TEST(Plan, CoversComeAfterWhatTheyCover) {
  const CellPlan cell = plan(Profile::kWorkspace);
  const auto etc = place(cell, Kind::kBind, "/etc");
  EXPECT_LT(etc, place(cell, Kind::kHideFile, "/etc/shadow"));
  EXPECT_LT(etc, place(cell, Kind::kHideFolder, "/etc/ssh"));
  const auto home = place(cell, Kind::kTmpfs, "/home/u");
  EXPECT_LT(place(cell, Kind::kTmpfs, "/tmp"), home);
  EXPECT_LT(home, place(cell, Kind::kBind, "/home/u/.pyenv"));
  const auto workspace = place(cell, Kind::kBind, "/home/u/project");
  EXPECT_LT(home, workspace);
  EXPECT_LT(workspace, place(cell, Kind::kSeal, "/home/u"));
  EXPECT_EQ(cell.mounts.back().kind, Kind::kSeal);
  EXPECT_EQ(cell.mounts.back().target, "/");
}

std::vector<std::string> writable_binds(const CellPlan& cell) {
  std::vector<std::string> found;
  for (const MountOp& op : cell.mounts) {
    if (op.kind == Kind::kBind && !op.read_only) found.push_back(op.target);
  }
  return found;
}

TEST(Plan, OnlyTheWorkspaceAndNamedFoldersAreWritable) {
  EXPECT_TRUE(writable_binds(plan(Profile::kReadOnly)).empty());
  EXPECT_EQ(writable_binds(plan(Profile::kWorkspace)), Words{"/home/u/project"});
  Policy more = example_policy(Profile::kReadOnly);
  more.writable_folders = {"/data/out"};
  const CellPlan cell = plan_cell(more, example_host());
  EXPECT_EQ(writable_binds(cell), Words{"/data/out"});
  EXPECT_NE(std::ranges::find(cell.write_below, "/data/out"), cell.write_below.end());
  EXPECT_EQ(std::ranges::find(cell.write_below, "/home/u/project"), cell.write_below.end());
}

TEST(Plan, ABrowserSeesNoWorkspace) {
  const CellPlan cell = plan(Profile::kBrowser);
  for (const MountOp& op : cell.mounts) EXPECT_NE(op.source, "/home/u/project");
  EXPECT_EQ(cell.workspace, "");
}

TEST(Plan, PlansSurviveTheWire) {
  CellPlan cell = plan(Profile::kWorkspace);
  cell.seccomp_filter = std::string("a\0b", 3);
  const auto again = decode_cell_plan(encode(cell));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->mounts, cell.mounts);
  EXPECT_EQ(again->write_below, cell.write_below);
  EXPECT_EQ(again->seccomp_filter, cell.seccomp_filter);
  const std::string bytes = encode(cell);
  for (size_t size = 0; size < bytes.size(); size += 7) {
    EXPECT_FALSE(decode_cell_plan(bytes.substr(0, size))) << size;
  }
  const CommandPlan command = plan_command(example_policy(Profile::kWorkspace), example_workspace(),
                                           {.argv = {"make", "all"}});
  const auto command_again = decode_command_plan(encode(command));
  ASSERT_TRUE(command_again);
  EXPECT_EQ(command_again->argv, command.argv);
  EXPECT_EQ(command_again->guards, Words{".git/hooks"});
  EXPECT_EQ(command_again->pins, Words{".git"});
}

TEST(Plan, ACommandGetsExactlyThePolicysEnvironmentAndItsFolder) {
  const Policy policy = example_policy(Profile::kReadOnly);
  const CommandPlan command =
      plan_command(policy, example_workspace(), {.argv = {"make"}, .working_folder = "a"});
  EXPECT_EQ(command.environment, (Words{"PATH=/usr/bin", "HOME=/home/u"}));
  EXPECT_EQ(command.working_folder, "/home/u/project/a");
  EXPECT_EQ(command.programs, Words{"/usr/bin/make"});
  EXPECT_TRUE(command.guards.empty()) << "read-only needs none";
}

TEST(Plan, RelativeAndEmptyEntriesOfThePathAreNeverSearched) {
  EXPECT_EQ(program_candidates("x", "/a::.:b:/c"), (Words{"/a/x", "/c/x"}));
  EXPECT_EQ(program_candidates("./x", "/a"), Words{"./x"});
}

TEST(Plan, IsInsideComparesWholeNames) {
  EXPECT_TRUE(is_inside("/a/b", "/a"));
  EXPECT_TRUE(is_inside("/a", "/a"));
  EXPECT_TRUE(is_inside("/a", "/"));
  EXPECT_FALSE(is_inside("/ab", "/a"));
}

class SurveyTest : public SandboxTest {
 protected:
  ErrorCode refused(const fs::path& workspace) {
    Policy how = policy(Profile::kReadOnly);
    how.workspace = workspace.string();
    const auto host = survey_host(how);
    EXPECT_FALSE(host) << workspace;
    return host ? ErrorCode::kIo : host.error().code();
  }
};

TEST_F(SurveyTest, RefusesWorkspacesThatWouldOpenTooMuch) {
  fs::create_directory_symlink(workspace_, root_ / "link");
  for (const fs::path& folder :
       {home_, root_, fs::path("/"), fs::path("/usr"), fs::path("/etc/ssl"), fs::path("/tmp"),
        fs::path("relative"), root_ / "link", root_ / "missing", workspace_ / "..", fs::path()}) {
    EXPECT_EQ(refused(folder), ErrorCode::kInvalidArgument) << folder;
  }
  EXPECT_TRUE(survey_host(policy(Profile::kReadOnly)));
}

TEST_F(SurveyTest, PinsEveryFolderAboveAGuard) {
  write_text(workspace_ / ".git/modules/sub/hooks/x", "");
  write_text(workspace_ / ".git/config", "");
  const WorkspaceView view = survey_workspace(policy(Profile::kWorkspace));
  const std::string git = workspace_.string() + "/.git";
  EXPECT_EQ(view.pins, (Words{git, git + "/modules", git + "/modules/sub"}));
  EXPECT_EQ(view.guards, (Words{git + "/config", git + "/modules/sub/hooks"}));
}

TEST_F(SurveyTest, NeverHandsOutAPathWithALink) {
  fs::create_directories(workspace_ / ".git");
  fs::create_directories(workspace_ / "inside");
  fs::create_directory_symlink(home_ / ".ssh", workspace_ / ".git/hooks");
  fs::create_directory_symlink(workspace_ / "inside", workspace_ / ".vscode");
  const WorkspaceView view = survey_workspace(policy(Profile::kWorkspace));
  // The link out is left alone; the target of the link that stays inside is guarded.
  EXPECT_EQ(view.guards, Words{workspace_.string() + "/inside"});
  for (const std::string& pin : view.pins) EXPECT_FALSE(fs::is_symlink(pin)) << pin;
}

TEST_F(SurveyTest, AGitFileOpensOnlyARepositoryThatPointsBack) {
  const fs::path common = root_ / "main/.git";
  write_text(common / "HEAD", "ref: refs/heads/main\n");
  fs::create_directories(common / "objects");
  write_text(common / "worktrees/w/gitdir", (workspace_ / ".git").string() + "\n");
  write_text(workspace_ / ".git", "gitdir: " + (common / "worktrees/w").string() + "\n");
  auto host = survey_host(policy(Profile::kWorkspace));
  ASSERT_TRUE(host);
  EXPECT_EQ(host->git_folders, Words{common.string()});
  EXPECT_EQ(default_protected_paths(workspace_.string()).front(), ".git");

  write_text(workspace_ / ".git", "gitdir: " + (home_ / ".ssh").string() + "\n");
  host = survey_host(policy(Profile::kWorkspace));
  ASSERT_TRUE(host);
  EXPECT_TRUE(host->git_folders.empty());
}

TEST_F(SurveyTest, ToolchainsThatLeadToTheHomeItselfAreLeftOut) {
  fs::create_directories(home_ / ".pyenv/shims");
  fs::create_directory_symlink(home_, home_ / ".nvm");
  fs::create_directory_symlink(root_, home_ / ".rustup");
  const auto found = toolchain_folders(home_.string());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].second, home_.string() + "/.pyenv");
}

std::map<std::string, std::string> environment_of(std::vector<std::string> entries,
                                                  Profile profile) {
  std::vector<char*> pointers;
  for (std::string& entry : entries) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  const Environment list = default_environment(pointers.data(), profile);
  std::map<std::string, std::string> variables(list.begin(), list.end());
  EXPECT_EQ(variables.size(), list.size());
  return variables;
}

TEST_F(SurveyTest, EnvironmentIsAnAllowList) {
  const auto variables =
      environment_of({"HOME=" + home_.string(), "TERM=xterm", "LC_ALL=C", "LC_API_KEY=x",
                      "AWS_SECRET_ACCESS_KEY=x", "GITHUB_TOKEN=x", "LD_PRELOAD=x", "BASH_ENV=x",
                      "PYTHONSTARTUP=x", "NODE_OPTIONS=x", "GIT_DIR=x", "GIT_SSH_COMMAND=x",
                      "DB_PASSWORD=x", "MY_VARIABLE=x", "broken", "=x"},
                     Profile::kOff);
  for (const auto& [name, value] : variables) EXPECT_NE(value, "x") << name;
  EXPECT_EQ(variables.at("HOME"), home_.string());
  EXPECT_EQ(variables.at("TERM"), "xterm");
  EXPECT_EQ(variables.at("LC_ALL"), "C");
  EXPECT_EQ(variables.at("LANG"), "C.UTF-8");
  EXPECT_EQ(variables.at("TMPDIR"), "/tmp");
  EXPECT_EQ(variables.at("PYTHONDONTWRITEBYTECODE"), "1");
  EXPECT_EQ(variables.at("PYTEST_ADDOPTS"), "-p no:cacheprovider");
  EXPECT_EQ(variables.at("GIT_CONFIG_NOSYSTEM"), "1");
}

TEST_F(SurveyTest, PathKeepsWhatIsVisibleInside) {
  fs::create_directories(home_ / ".pyenv/shims");
  const std::string shims = home_.string() + "/.pyenv/shims";
  const std::vector<std::string> caller = {
      "HOME=" + home_.string(), "PYENV_ROOT=" + home_.string() + "/.pyenv", "JAVA_HOME=/srv/java",
      "PATH=" + shims + ":/srv/bin:.:bin::/usr/bin:/usr/../srv:" + home_.string() + "/bin"};
  auto variables = environment_of(caller, Profile::kReadOnly);
  EXPECT_EQ(variables["PATH"],
            shims + ":/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin");
  EXPECT_EQ(variables["PYENV_ROOT"], home_.string() + "/.pyenv");
  EXPECT_FALSE(variables.contains("JAVA_HOME"));
  variables = environment_of(caller, Profile::kOff);
  EXPECT_TRUE(variables["PATH"].starts_with(shims + ":/srv/bin:/usr/bin:")) << variables["PATH"];
  EXPECT_TRUE(variables.contains("JAVA_HOME"));
}

}  // namespace
}  // namespace levin::sandbox
