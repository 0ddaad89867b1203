// Patches in all forms: what they do to files, and that a patch is applied whole or not at all.
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/tools/workspace_fixture.h"
#include "tools/patch.h"

namespace levin::tools {
namespace {

class Patch : public ToolTest {
 protected:
  Patch() { registry_ = Registry({apply_patch_tool(), read_tool()}); }
  std::string patch(const std::string& text) {
    const ToolResult result = call("apply-patch", nlohmann::json{{"patch", text}}.dump());
    EXPECT_EQ(result.failed, result.text.starts_with("E_")) << result.text;
    return result.text;
  }
  std::string code(const std::string& body) {
    const std::string text = patch("*** Begin Patch\n" + body + "*** End Patch\n");
    return text.starts_with("E_") ? text.substr(0, text.find(' ')) : "ok";
  }
  bool has(const std::string& path) const { return std::filesystem::exists(root_ + "/" + path); }
};

TEST_F(Patch, EnvelopeAddsUpdatesMovesAndDeletes) {
  put("a.txt", "one\ntwo\nthree\n");
  put("b.txt", "b\n");
  put("c.txt", "c1\nc2\n");
  EXPECT_EQ(
      code("*** Add File: new/d.txt\n+d1\n+\n+d2\n*** Update File: a.txt\n@@\n one\n-two\n+2\n"
           "*** Delete File: b.txt\n*** Update File: c.txt\n*** Move to: m/c.txt\n@@\n-c2\n+C\n"),
      "ok");
  EXPECT_EQ(get("new/d.txt"), "d1\n\nd2\n");
  EXPECT_EQ(get("a.txt"), "one\n2\nthree\n");
  EXPECT_EQ(get("m/c.txt"), "c1\nC\n");
  EXPECT_FALSE(has("b.txt"));
  EXPECT_FALSE(has("c.txt"));
}

TEST_F(Patch, AllOrNothing) {
  put("a.txt", "one\n");
  put("b.txt", "b\n");
  EXPECT_EQ(code("*** Add File: n.txt\n+n\n*** Update File: a.txt\n@@\n-one\n+1\n"
                 "*** Update File: b.txt\n@@\n-missing line\n+x\n"),
            "E_NO_MATCH");
  EXPECT_EQ(get("a.txt"), "one\n");
  EXPECT_FALSE(has("n.txt"));
}

TEST_F(Patch, AWriteThatFailsTakesTheOthersBack) {
  put("a.txt", "one\n");
  put("b.txt", "b\n");
  // A name that no file system takes is found out only by the write.
  EXPECT_EQ(
      code("*** Update File: a.txt\n@@\n-one\n+1\n*** Delete File: b.txt\n*** Add File: n.txt\n"
           "+n\n*** Add File: " +
           std::string(300, 'x') + "\n+x\n"),
      "E_IO");
  EXPECT_EQ(get("a.txt"), "one\n");
  EXPECT_EQ(get("b.txt"), "b\n");
  EXPECT_FALSE(has("n.txt"));
}

TEST_F(Patch, RefusedEnvelopes) {
  put("a.txt", "x\ny\nx\n");
  put("dir/k", "");
  EXPECT_EQ(code(""), "E_ARGS");
  EXPECT_EQ(code("*** Update File: a.txt\n"), "E_ARGS");
  EXPECT_EQ(code("*** Frobnicate File: a.txt\n"), "E_ARGS");
  EXPECT_EQ(code("*** Update File: none.txt\n@@\n-a\n+b\n"), "E_PATH");
  EXPECT_EQ(code("*** Delete File: none.txt\n"), "E_PATH");
  EXPECT_EQ(code("*** Delete File: dir\n"), "E_PATH");
  EXPECT_EQ(code("*** Update File: a.txt\n@@\n-x\n+z\n"), "E_MANY");
  EXPECT_EQ(code("*** Add File: ../out.txt\n+x\n"), "E_DENIED");
  EXPECT_EQ(code("*** Add File: new/.git/x\n+x\n"), "E_DENIED");
  EXPECT_FALSE(has("new"));
  EXPECT_EQ(get("a.txt"), "x\ny\nx\n");
}

TEST_F(Patch, AnchorsAndOrderChoosePlaces) {
  const std::string file =
      "class A:\n    def f(self):\n        return 1\n\nclass B:\n    def f(self):\n        return "
      "1\n";
  put("a.py", file);
  EXPECT_EQ(code("*** Update File: a.py\n@@ class B:\n@@     def f(self):\n-        return 1\n"
                 "+        return 2\n"),
            "ok");
  EXPECT_EQ(get("a.py"), file.substr(0, file.rfind('1')) + "2\n");
  put("b.py", "x\na\nx\nb\n");
  EXPECT_EQ(code("*** Update File: b.py\n@@\n-x\n+1\n@@\n-x\n+2\n"), "ok");
  EXPECT_EQ(get("b.py"), "1\na\n2\nb\n");
  put("c.py", "x\nmax = 1\n");
  EXPECT_EQ(code("*** Update File: c.py\n@@\n-ax = 1\n+bx = 1\n"), "E_NO_MATCH");
}

TEST_F(Patch, EndOfFileAndPureAdditions) {
  put("a.txt", "x\ny\nx\n");
  EXPECT_EQ(code("*** Update File: a.txt\n@@\n-x\n+z\n*** End of File\n"), "ok");
  EXPECT_EQ(get("a.txt"), "x\ny\nz\n");
  EXPECT_EQ(code("*** Update File: a.txt\n@@\n+1\n+2\n"), "ok");
  EXPECT_EQ(get("a.txt"), "x\ny\nz\n1\n2\n");
  put("b.txt", "no newline");
  EXPECT_EQ(code("*** Update File: b.txt\n@@\n-no newline\n+a\n+b\n"), "ok");
  EXPECT_EQ(get("b.txt"), "a\nb\n");
  put("c.txt", "a\nlast");
  EXPECT_EQ(code("*** Update File: c.txt\n@@\n-a\n+A\n last\n"), "ok");
  EXPECT_EQ(get("c.txt"), "A\nlast");
}

TEST_F(Patch, WrappersAndMissingEnd) {
  put("a.txt", "one\n");
  EXPECT_TRUE(patch("apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+two\n"
                    "EOF\n")
                  .starts_with("ok: 1 edit in a.txt"));
  EXPECT_EQ(get("a.txt"), "two\n");
  EXPECT_TRUE(
      patch("  *** Begin Patch\n  *** Update File: a.txt\n@@\n-two\n+three\n *** End Patch ")
          .starts_with("ok: 1 edit in a.txt"));
  EXPECT_EQ(get("a.txt"), "three\n");
}

TEST_F(Patch, ContextKeepsTheFilesOwnBytes) {
  put("a.txt", "one  \r\ntwo\r\nthree\t\r\n");
  EXPECT_EQ(code("*** Update File: a.txt\n@@\n one\n-two\n+2\n three\n"), "ok");
  EXPECT_EQ(get("a.txt"), "one  \r\n2\r\nthree\t\r\n");
  put("t.go", "func f() {\n\tif a {\n\t\tb()\n\t}\n}\n");
  EXPECT_EQ(code("*** Update File: t.go\n@@\n     if a {\n-        b()\n+        c()\n+        "
                 "d()\n     }\n"),
            "ok");
  EXPECT_EQ(get("t.go"), "func f() {\n\tif a {\n\t\tc()\n\t\td()\n\t}\n}\n");
}

TEST_F(Patch, UnifiedDiffs) {
  put("src/a.c", "1\n2\n3\n4\n5\n");
  put("old.c", "keep\nthis\n");
  put("gone.c", "bye\n");
  const std::string text = patch(
      "diff --git a/src/a.c b/src/a.c\nindex 1..2 100644\n--- a/src/a.c\n+++ b/src/a.c\n"
      "@@ -90,3 +90,3 @@ int main\n 2\n-3\n+three\n 4\ndiff --git a/n.sh b/n.sh\nnew file mode "
      "100755\n"
      "--- /dev/null\n+++ b/n.sh\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n"
      "diff --git a/old.c b/moved.c\nsimilarity index 60%\nrename from old.c\nrename to moved.c\n"
      "--- a/old.c\n+++ b/moved.c\n@@ -1,2 +1,2 @@\n keep\n-this\n+that\n"
      "diff --git a/gone.c b/gone.c\ndeleted file mode 100644\n--- a/gone.c\n+++ /dev/null\n"
      "@@ -1 +0,0 @@\n-bye\n");
  EXPECT_EQ(get("src/a.c"), "1\n2\nthree\n4\n5\n") << text;
  EXPECT_EQ(get("n.sh"), "a\nb");
  EXPECT_EQ(get("moved.c"), "keep\nthat\n");
  EXPECT_FALSE(has("old.c"));
  EXPECT_FALSE(has("gone.c"));
  struct stat status {};
  ASSERT_EQ(::stat((root_ + "/n.sh").c_str(), &status), 0);
  EXPECT_NE(status.st_mode & 0100, 0u);
}

TEST_F(Patch, PlainDiffsAndNewlinesAtTheEnd) {
  put("a.c", "x\ny\nx\n");
  patch("--- a.c\t2026\n+++ a.c\t2026\n@@ -3 +3 @@\n-x\n+z\n\\ No newline at end of file\n");
  EXPECT_EQ(get("a.c"), "x\ny\nz");
  patch("--- a.c\n+++ a.c\n@@ -1,3 +1,3 @@\n-x\n+w\n y\n-z\n\\ No newline at end of file\n+z\n");
  EXPECT_EQ(get("a.c"), "w\ny\nz\n");
  put("m.c", "x\ny\nx\n");
  EXPECT_TRUE(patch("--- a/m.c\n+++ b/m.c\n@@ -9 +9 @@\n-x\n+z\n").starts_with("E_MANY"));
  EXPECT_TRUE(patch("--- a/m.c\n+++ b/m.c\n@@ -3 +3 @@\n-x\n+z\n").starts_with("ok"));
  EXPECT_EQ(get("m.c"), "x\ny\nz\n");
  EXPECT_TRUE(patch("--- a/m.c\n+++ b/m.c\n@@ -2 +2 @@\n-q\n+z\n").starts_with("E_DONE"));
  EXPECT_TRUE(patch("--- /dev/null\n+++ b/m.c\n@@ -0,0 +1 @@\n+z\n").starts_with("E_PATH"));
}

TEST_F(Patch, Blocks) {
  put("src/a.py", "def f():\n    return 1\n");
  const std::string block =
      "<<<<<<< SEARCH\n    return 1\n=======\n    return 2\n>>>>>>> REPLACE\n";
  EXPECT_TRUE(
      patch("src/a.py\n```python\n" + block + "```\n").starts_with("ok: 1 edit in src/a.py"));
  EXPECT_EQ(get("src/a.py"), "def f():\n    return 2\n");
  EXPECT_TRUE(patch("```\nnew/b.py\n<<<<<<< SEARCH\n=======\nb = 1\n>>>>>>> REPLACE\n```\n")
                  .starts_with("wrote new/b.py"));
  EXPECT_EQ(get("new/b.py"), "b = 1\n");
  EXPECT_TRUE(patch(block).starts_with("E_ARGS"));
  EXPECT_TRUE(patch("a.py\n<<<<<<< SEARCH\nx\n=======\ny\n").starts_with("E_ARGS"));
}

TEST(PatchPaths, InProse) {
  EXPECT_EQ(path_in_prose("**`src/a.py`**:"), "src/a.py");
  EXPECT_EQ(path_in_prose("### src/a.py"), "src/a.py");
  EXPECT_EQ(path_in_prose("Now change src/a.py like this:"), "src/a.py");
  EXPECT_EQ(path_in_prose("`Makefile`"), "Makefile");
  EXPECT_EQ(path_in_prose("move a.c to b.c"), "");
  EXPECT_EQ(path_in_prose("Here it is:"), "");
}

}  // namespace
}  // namespace levin::tools
