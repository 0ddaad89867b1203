// What must be impossible: leaving the workspace, writing into .git, losing a concurrent change.
#include <unistd.h>

#include <atomic>
#include <thread>

#include "sandbox/policy.h"
#include "tests/tools/workspace_fixture.h"
#include "tools/file_tree.h"

namespace levin::tools {
namespace {

class WorkspaceTest : public ToolTest {
 protected:
  WorkspaceTest() {
    std::ofstream(base_ + "/secret.txt") << "secret";
    std::filesystem::create_directory(base_ + "/outside");
    put("in.txt", "in\n");
    put("d/e.txt", "e\n");
  }
  std::string denied(const std::string& path, const std::string& why = "outside the repository") {
    return "E_DENIED " + path + " (" + why + "). Do not retry; choose another way or ask.";
  }
  std::string read(const std::string& path) { return text("read", "{\"path\":\"" + path + "\"}"); }
  std::string write(const std::string& path) {
    return text("write", "{\"path\":\"" + path + "\",\"content\":\"w\"}");
  }
};

TEST_F(WorkspaceTest, PathsThatLeaveAreRefused) {
  std::filesystem::create_symlink("../secret.txt", root_ + "/link");
  std::filesystem::create_symlink(base_ + "/outside", root_ + "/away");
  std::filesystem::create_symlink("/proc/self/root", root_ + "/magic");
  for (const std::string path :
       {"../secret.txt", "d/../../secret.txt", "/etc/passwd", "link", "away/x", "magic/etc/passwd",
        "/proc/self/root/etc/passwd", "..", "/", "d/../../work2/x"}) {
    EXPECT_EQ(read(path), denied(path));
    EXPECT_EQ(write(path), denied(path));
  }
  EXPECT_EQ(read(base_ + "/secret.txt"), denied(base_ + "/secret.txt"));
  EXPECT_EQ(read(root_ + "2/x"), denied(root_ + "2/x"));
  EXPECT_TRUE(std::filesystem::is_empty(base_ + "/outside"));
}

TEST_F(WorkspaceTest, PathsThatStayAreFollowed) {
  std::filesystem::create_symlink("d", root_ + "/folder-link");
  std::filesystem::create_symlink(root_ + "/d/e.txt", root_ + "/absolute-link");
  std::filesystem::create_symlink("d/made-later", root_ + "/dangling");
  for (const std::string path : {"d/e.txt", "./d//e.txt", "d/../d/e.txt", "folder-link/e.txt",
                                 "absolute-link", "folder-link/../d/e.txt"}) {
    EXPECT_EQ(read(path), path + " (lines 1-1 of 1)\n1\te");
  }
  EXPECT_EQ(read(root_ + "/d/e.txt"), root_ + "/d/e.txt (lines 1-1 of 1)\n1\te");
  EXPECT_EQ(write("dangling"), "wrote dangling (1 lines)");
  EXPECT_EQ(get("d/made-later"), "w");
  EXPECT_TRUE(std::filesystem::is_symlink(root_ + "/dangling"));
}

TEST_F(WorkspaceTest, GitsOwnFilesAreReadOnly) {
  put(".git/config", "c\n");
  std::filesystem::create_symlink(".git", root_ + "/sneaky");
  EXPECT_EQ(read(".git/config"), ".git/config (lines 1-1 of 1)\n1\tc");
  for (const std::string path : {".git/config", "sneaky/hooks/pre-commit", "d/../.git/x",
                                 ".GIT/config", "d/.git/config", "new/.git/x"}) {
    EXPECT_EQ(write(path), denied(path, "git's own files"));
  }
  EXPECT_EQ(get(".git/config"), "c\n");
  EXPECT_FALSE(std::filesystem::exists(root_ + "/new"));
  EXPECT_EQ(write(".gitignore"), "wrote .gitignore (1 lines)");
}

// An editor's task or an .envrc runs by itself: what the sandbox keeps commands from, edits must not
// reach either.
TEST_F(WorkspaceTest, ProtectedPathsAreReadOnly) {
  put(".envrc", "c\n");
  std::filesystem::create_symlink(".vscode", root_ + "/sneaky");
  std::filesystem::create_symlink(".envrc", root_ + "/harmless.txt");
  const std::vector<std::string> known = sandbox::default_protected_paths(root_);
  ASSERT_GT(known.size(), 8u);
  for (const std::string& path : known) {
    EXPECT_TRUE(write(path).starts_with("E_DENIED " + path + " (")) << path;
    EXPECT_TRUE(write(path + "/below").starts_with("E_DENIED")) << path;
  }
  EXPECT_EQ(read(".envrc"), ".envrc (lines 1-1 of 1)\n1\tc");
  for (const std::string path : {".envrc", ".ENVRC", "d/../.envrc", "harmless.txt",
                                 ".vscode/tasks.json", "sneaky/tasks.json"}) {
    EXPECT_EQ(write(path), denied(path, "a protected path"));
  }
  EXPECT_EQ(text("edit", R"({"path":".envrc","edits":[{"old":"c","new":"x"}]})"),
            denied(".envrc", "a protected path"));
  EXPECT_EQ(get(".envrc"), "c\n");
  EXPECT_FALSE(std::filesystem::exists(root_ + "/.vscode"));
  for (const std::string path : {".envrc.md", "d/.envrc", ".vscode2/x"}) {
    EXPECT_EQ(write(path), "wrote " + path + " (1 lines)");
  }
}

TEST_F(WorkspaceTest, OddNames) {
  EXPECT_EQ(text("read", R"({"path":"in.txt\u0000x"})"),
            "E_ARGS read: \"path\" must be a path without NUL bytes. Got "
            R"({"path":"in.txt\u0000x"}. Example: {"path":"a.py"})");
  EXPECT_EQ(read("in.txt/"), "E_PATH no in.txt/. Did you mean in.txt?");
  EXPECT_EQ(read("in.txt/x").substr(0, 19), "E_PATH no in.txt/x.");
  EXPECT_EQ(read("IN.TXT").substr(0, 16), "E_PATH no IN.TXT");
  EXPECT_EQ(read(std::string(5000, 'n')).substr(0, 9), "E_PATH no");
  std::filesystem::create_symlink("loop", root_ + "/loop");
  EXPECT_EQ(read("loop").substr(0, 14), "E_PATH no loop");
}

TEST_F(WorkspaceTest, ALinkSwappedInDuringTheWalkLeadsNowhere) {
  std::filesystem::create_directory(root_ + "/swap");
  put("swap/secret.txt", "inside");
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    std::error_code ignored;
    while (!stop) {
      std::filesystem::rename(root_ + "/swap", root_ + "/kept", ignored);
      std::filesystem::create_symlink("..", root_ + "/swap", ignored);
      std::filesystem::remove(root_ + "/swap", ignored);
      std::filesystem::rename(root_ + "/kept", root_ + "/swap", ignored);
    }
  });
  for (int attempt = 0; attempt < 5000; ++attempt) {
    const Result<FileData> file = workspace_->load("swap/secret.txt");
    if (file) {
      ASSERT_EQ(file->content, "inside");
    }
    (void)workspace_->store("swap/planted.txt", "p", nullptr);
  }
  stop = true;
  swapper.join();
  EXPECT_FALSE(std::filesystem::exists(base_ + "/planted.txt"));
}

TEST_F(WorkspaceTest, AChangeBetweenLookAndWriteIsNotLost) {
  const std::string expected = "in\n";
  put("in.txt", "theirs\n");
  const Result<Stored> stored = workspace_->store("in.txt", "ours\n", &expected);
  ASSERT_TRUE(stored);
  EXPECT_EQ(*stored, Stored::kChangedMeanwhile);
  EXPECT_EQ(get("in.txt"), "theirs\n");
  const Result<Stored> created = workspace_->store("in.txt", "ours\n", nullptr);
  ASSERT_TRUE(created);
  EXPECT_EQ(*created, Stored::kChangedMeanwhile);
}

TEST_F(WorkspaceTest, AnExtraFolderCanBeReadButNotWritten) {
  std::ofstream(base_ + "/outside/1.txt") << "spilled\n";
  ASSERT_TRUE(workspace_->allow_reading(base_ + "/outside"));
  const std::string path = base_ + "/outside/1.txt";
  EXPECT_EQ(read(path), path + " (lines 1-1 of 1)\n1\tspilled");
  EXPECT_EQ(write(path), denied(path));
  EXPECT_EQ(read(base_ + "/outside/../secret.txt"), denied(base_ + "/outside/../secret.txt"));
}

TEST_F(WorkspaceTest, ListsFilesInPathOrderWithoutIgnoredOnes) {
  put(".gitignore", "*.o\n/build/\n!keep.o\n# comment\nsub/*.log\n");
  put("a.o", "");
  put("keep.o", "");
  put("build/x", "");
  put("d/build/y", "");
  put("d.txt", "");
  put("sub/a.log", "");
  put("sub/.gitignore", "!a.log\nlocal\n");
  put("sub/local/z", "");
  put("__pycache__/p.pyc", "");
  put(".git/HEAD", "");
  const std::vector<std::string> expected = {".gitignore", "d.txt",  "d/build/y",      "d/e.txt",
                                             "in.txt",     "keep.o", "sub/.gitignore", "sub/a.log"};
  EXPECT_EQ(list_files(*workspace_), expected);
}

}  // namespace
}  // namespace levin::tools
