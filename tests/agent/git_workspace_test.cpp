// What levin reads of the user's repository, made with the git program.
#include "agent/git_workspace.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/run_program.h"

namespace levin::agent {
namespace {

namespace fs = std::filesystem;

class GitWorkspaceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "levin-git-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = fs::canonical(pattern);
  }
  void TearDown() override { fs::remove_all(root_); }

  void git(const std::string& line) const {
    test::ProgramOptions options;
    options.folder = root_.string();
    options.environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_NOSYSTEM", "1"}};
    const auto run = test::run_program({"sh", "-ec", line}, options);
    ASSERT_EQ(run.exit_code, 0) << line << "\n" << run.err;
  }
  void make_repository() const {
    git("git init -q . && git config user.name tester && "
        "git config user.email tester@example.com && echo one > a && echo 'ignored' > .gitignore "
        "&& git add -A && git commit -qm start");
  }
  std::map<std::string, std::string> changed() const {
    const auto files = changed_files(root_.string());
    EXPECT_TRUE(files) << files.error().message();
    return files ? *files : std::map<std::string, std::string>{};
  }

  fs::path root_;
};

TEST_F(GitWorkspaceTest, FindsTheWorkTreeFromASubfolderAndThroughALink) {
  make_repository();
  fs::create_directories(root_ / "deep/er");
  fs::create_directory_symlink(root_ / "deep", root_ / "link");
  EXPECT_EQ(*find_work_tree((root_ / "deep/er").string()), root_.string());
  EXPECT_EQ(*find_work_tree(root_.string()), root_.string());
}

TEST_F(GitWorkspaceTest, APlainFolderIsItsOwnWorkTree) {
  EXPECT_FALSE(is_in_repository(root_.string()));
  fs::create_directories(root_ / "deep");
  EXPECT_EQ(*find_work_tree((root_ / "deep").string()), (root_ / "deep").string());
}

TEST_F(GitWorkspaceTest, RefusesHomeAndRootWithAWayOut) {
  const char* const before = std::getenv("HOME");
  const std::string home = before != nullptr ? before : "";
  ::setenv("HOME", root_.c_str(), 1);
  for (const std::string& folder : {root_.string(), std::string("/")}) {
    const auto found = find_work_tree(folder);
    ASSERT_FALSE(found) << folder;
    EXPECT_EQ(found.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(found.error().message().find(folder), std::string::npos);
    EXPECT_NE(found.error().message().find("git init"), std::string::npos);
  }
  ::setenv("HOME", home.c_str(), 1);
}

TEST_F(GitWorkspaceTest, RefusesABareRepository) {
  git("git init -q --bare .");
  const auto found = find_work_tree(root_.string());
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message().find("bare"), std::string::npos);
}

TEST_F(GitWorkspaceTest, ListsWhatDiffersAndNothingElse) {
  make_repository();
  EXPECT_TRUE(changed().empty());
  git("echo two > a; echo new > b; mkdir d; echo x > d/c; echo x > ignored");
  const auto files = changed();
  std::vector<std::string> names;
  for (const auto& [name, hash] : files) {
    names.push_back(name);
    EXPECT_EQ(hash.size(), 40u) << name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "d/c"}));
  git("git add b; rm a");
  EXPECT_EQ(changed().at("a"), "");
  EXPECT_EQ(changed().at("b"), files.at("b"));
}

TEST_F(GitWorkspaceTest, TheShortIdOfAContentIsGits) {
  EXPECT_EQ(short_content_id(""), "e69de29b");
  EXPECT_EQ(short_content_id("one\ntwo\n"), "814f4a42");
}

TEST_F(GitWorkspaceTest, TheHashFollowsTheContent) {
  make_repository();
  git("echo two > a");
  const std::string first = changed().at("a");
  git("echo three > a");
  EXPECT_NE(changed().at("a"), first);
  git("echo two > a");
  EXPECT_EQ(changed().at("a"), first);
}

TEST_F(GitWorkspaceTest, WorksBeforeTheFirstCommitAndInALinkedWorkTree) {
  git("git init -q . && echo one > a");
  EXPECT_EQ(changed().count("a"), 1u);
  git("git config user.name tester; git config user.email tester@example.com; git add -A; "
      "git commit -qm start; git worktree add -q other");
  EXPECT_EQ(*find_work_tree((root_ / "other").string()), (root_ / "other").string());
}

}  // namespace
}  // namespace levin::agent
