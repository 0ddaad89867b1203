// Odd things behind a path: none of them may block a tool or lead out of the workspace.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/tools/workspace_fixture.h"

namespace levin::tools {
namespace {

class OddPaths : public ToolTest {
 protected:
  std::string read(const std::string& path) {
    return text("read", nlohmann::json{{"path", path}}.dump());
  }
  std::string write(const std::string& path) {
    return text("write", nlohmann::json{{"path", path}, {"content", "w"}}.dump());
  }
};

TEST_F(OddPaths, PipesAndSocketsNeitherBlockNorCount) {
  ASSERT_EQ(::mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  put("a.txt", "hit\n");
  EXPECT_TRUE(read("pipe").starts_with("E_PATH pipe is not a regular file"));
  EXPECT_TRUE(write("pipe").starts_with("E_PATH pipe is not a regular file"));
  EXPECT_TRUE(text("edit", R"({"path":"pipe","edits":[{"old":"a","new":"b"}]})")
                  .starts_with("E_PATH pipe"));
  EXPECT_EQ(text("search", R"({"pattern":"hit"})"), "1 hit in 1 file\na.txt:1: hit");
  struct stat status {};
  ASSERT_EQ(::stat((root_ + "/pipe").c_str(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
}

TEST_F(OddPaths, DevicesAndProcAreOutside) {
  for (const std::string target : {"/dev/zero", "/proc/self/environ", "/proc/self/cwd/x"}) {
    std::filesystem::remove(root_ + "/link");
    std::filesystem::create_symlink(target, root_ + "/link");
    EXPECT_TRUE(read("link").starts_with("E_DENIED link (")) << target;
    EXPECT_TRUE(write("link").starts_with("E_DENIED link (")) << target;
    EXPECT_TRUE(read(target).starts_with("E_DENIED ")) << target;
  }
}

TEST_F(OddPaths, LongAndOddNames) {
  EXPECT_TRUE(read(std::string(300, 'n')).starts_with("E_PATH no "));
  EXPECT_TRUE(write(std::string(300, 'n')).starts_with("E_"));
  std::string deep;
  for (int depth = 0; depth < 2000; ++depth) deep += "d/";
  EXPECT_TRUE(read(deep + "x").starts_with("E_PATH no "));
  EXPECT_TRUE(write(deep + "x").starts_with("E_"));
  EXPECT_TRUE(read("").starts_with("E_") || !read("").empty());
  EXPECT_EQ(write("odd \n name"), "wrote odd \n name (1 lines)");
  EXPECT_TRUE(read("./../" + std::filesystem::path(root_).filename().string() + "/odd")
                  .starts_with("E_DENIED"));
}

TEST_F(OddPaths, AHardLinkOfAnOutsideFileIsReplacedNotWritten) {
  std::ofstream(base_ + "/outside.txt") << "outside";
  std::filesystem::create_hard_link(base_ + "/outside.txt", root_ + "/hard.txt");
  EXPECT_EQ(write("hard.txt"), "wrote hard.txt (1 lines)");
  std::ifstream file(base_ + "/outside.txt");
  std::string content;
  std::getline(file, content);
  EXPECT_EQ(content, "outside");
  EXPECT_EQ(get("hard.txt"), "w");
}

TEST_F(OddPaths, AFlippingLinkNeverLeadsOutInAPatch) {
  std::filesystem::create_directory(base_ + "/out");
  std::ofstream(base_ + "/out/f.txt") << "inside\n";
  put("real/f.txt", "inside\n");
  std::atomic<bool> stop = false;
  std::thread flipper([&] {
    std::error_code ignored;
    while (!stop) {
      for (const std::string target : {"real", "../out"}) {
        std::filesystem::create_directory_symlink(target, root_ + "/next", ignored);
        std::filesystem::rename(root_ + "/next", root_ + "/link", ignored);
      }
    }
  });
  for (int attempt = 0; attempt < 2000; ++attempt) {
    const std::string expected = "inside\n";
    (void)workspace_->store("link/f.txt", "inside\n", &expected);
    (void)workspace_->store("link/planted.txt", "p", nullptr);
    const std::string planted = "p";
    (void)workspace_->remove("link/planted.txt", planted);
  }
  stop = true;
  flipper.join();
  EXPECT_FALSE(std::filesystem::exists(base_ + "/out/planted.txt"));
}

}  // namespace
}  // namespace levin::tools
