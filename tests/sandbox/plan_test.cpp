#include "sandbox/plan.h"

#include <algorithm>
#include <map>

#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

using Words = std::vector<std::string>;

HostView example_host() {
  HostView host;
  host.bubblewrap = "/usr/bin/bwrap";
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

Words plan(Profile profile) {
  return plan_bubblewrap(example_policy(profile), example_host(), example_workspace(), {3, 4}, "");
}

// The position of `part` as consecutive words; fails the test when it is not there.
std::ptrdiff_t place(const Words& words, const Words& part) {
  const auto found = std::search(words.begin(), words.end(), part.begin(), part.end());
  EXPECT_NE(found, words.end()) << testing::PrintToString(part);
  return found - words.begin();
}

bool contains(const Words& words, const Words& part) {
  return std::search(words.begin(), words.end(), part.begin(), part.end()) != words.end();
}

TEST(Plan, AsksForEveryNamespaceAndDropsEveryCapability) {
  const Words words = plan(Profile::kReadOnly);
  for (const char* word :
       {"--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-net", "--unshare-ipc",
        "--unshare-uts", "--die-with-parent", "--new-session", "--clearenv"}) {
    EXPECT_TRUE(contains(words, {word})) << word;
  }
  EXPECT_TRUE(contains(words, {"--cap-drop", "ALL"}));
  EXPECT_FALSE(contains(words, {"--share-net"}));
  EXPECT_EQ(words.front(), "/usr/bin/bwrap");
  EXPECT_EQ(words.back(), "--");
}

TEST(Plan, CoversComeAfterWhatTheyCover) {
  const Words words = plan(Profile::kWorkspace);
  const std::string project = "/home/u/project";
  const auto etc = place(words, {"--ro-bind", "/etc", "/etc"});
  EXPECT_LT(etc, place(words, {"--ro-bind", "/dev/null", "/etc/shadow"}));
  EXPECT_LT(etc, place(words, {"--tmpfs", "/etc/ssh"}));
  const auto home = place(words, {"--tmpfs", "/home/u"});
  EXPECT_LT(place(words, {"--tmpfs", "/tmp"}), home);
  EXPECT_LT(home, place(words, {"--ro-bind", "/data/pyenv", "/home/u/.pyenv"}));
  const auto workspace = place(words, {"--bind", project, project});
  EXPECT_LT(home, workspace);
  const auto pin = place(words, {"--bind", project + "/.git", project + "/.git"});
  const auto guard = place(words, {"--ro-bind", project + "/.git/hooks", project + "/.git/hooks"});
  EXPECT_LT(workspace, pin);
  EXPECT_LT(pin, guard);
  EXPECT_LT(guard, place(words, {"--remount-ro", "/home/u"}));
  EXPECT_LT(guard, place(words, {"--remount-ro", "/"}));
}

TEST(Plan, ReadOnlyProfileBindsNothingWritable) {
  const Words words = plan(Profile::kReadOnly);
  EXPECT_TRUE(contains(words, {"--ro-bind", "/home/u/project", "/home/u/project"}));
  EXPECT_FALSE(contains(words, {"--bind"}));
  EXPECT_FALSE(contains(words, {"--dev-bind"}));
}

TEST(Plan, SetsExactlyTheEnvironmentOfThePolicy) {
  const Words words = plan(Profile::kReadOnly);
  EXPECT_LT(place(words, {"--clearenv"}), place(words, {"--setenv", "PATH", "/usr/bin"}));
  EXPECT_EQ(std::ranges::count(words, "--setenv"), 2);
}

TEST(Plan, WorkingFolderLiesBelowTheWorkspace) {
  const auto words =
      plan_bubblewrap(example_policy(Profile::kReadOnly), example_host(), {}, {}, "a");
  EXPECT_TRUE(contains(words, {"--chdir", "/home/u/project/a"}));
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
  if (find_bubblewrap().empty()) GTEST_SKIP() << "bubblewrap is not installed";
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
  if (find_bubblewrap().empty()) GTEST_SKIP() << "bubblewrap is not installed";
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
