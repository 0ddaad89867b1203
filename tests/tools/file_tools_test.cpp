// read, write, edit through the registry: every answer in full.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "tests/tools/workspace_fixture.h"

namespace levin::tools {
namespace {

class FileTools : public ToolTest {};

TEST_F(FileTools, ReadShowsAWindowAndSaysHowToGoOn) {
  std::string content;
  for (int line = 1; line <= 1000; ++line) content += "l" + std::to_string(line) + "\n";
  put("a.txt", content);
  EXPECT_EQ(text("read", R"({"path":"a.txt","start":3,"lines":2})"),
            "a.txt (lines 3-4 of 1000; next: start=5)\n3\tl3\n4\tl4");
  EXPECT_TRUE(text("read", R"({"path":"a.txt","lines":5000})")
                  .starts_with("a.txt (lines 1-400 of 1000; next: start=401)\n1\tl1\n"));
  EXPECT_EQ(text("read", R"({"path":"a.txt","start":1000})"),
            "a.txt (lines 1000-1000 of 1000)\n1000\tl1000");
  EXPECT_EQ(text("read", R"({"path":"a.txt","start":1001})"),
            "E_ARGS read: start is 1001, but a.txt has 1000 lines. Got "
            R"({"path":"a.txt","start":1001}. Example: {"path":"a.py"})");
}

TEST_F(FileTools, ReadShowsTheIdOfTheContentWhereItIsAskedFor) {
  put("a.txt", "one\ntwo\n");
  put("empty", "");
  ToolContext context{*workspace_, nullptr, nullptr, nullptr, ""};
  context.content_id = [](std::string_view content) {
    return content.empty() ? "e69de29b" : "814f4a42";
  };
  EXPECT_EQ(registry_.call("read", R"({"path":"a.txt","lines":1})", context).text,
            "a.txt (lines 1-1 of 2, 814f4a42; next: start=2)\n1\tone");
  EXPECT_EQ(registry_.call("read", R"({"path":"empty"})", context).text,
            "empty (lines 0-0 of 0, e69de29b)");
}

TEST_F(FileTools, ReadStopsAtItsByteCap) {
  std::string content;
  for (int line = 0; line < 300; ++line) content += std::string(400, 'x') + "\n";
  put("wide.txt", content);
  const std::string shown = text("read", R"({"path":"wide.txt"})");
  EXPECT_LE(shown.size(), 24u * 1024 + 100);
  EXPECT_TRUE(shown.starts_with("wide.txt (lines 1-60 of 300; next: start=61)"))
      << shown.substr(0, 60);
}

TEST_F(FileTools, ReadCutsLongLinesBetweenCharacters) {
  std::string line = "x";
  for (int count = 0; count < 300; ++count) line += "é";
  put("long.txt", line + "\n");
  const std::string shown = text("read", R"({"path":"long.txt"})");
  EXPECT_TRUE(shown.ends_with("é...+102")) << shown;
  EXPECT_EQ(shown.size(), std::string("long.txt (lines 1-1 of 1)\n1\t").size() + 499 + 7);
}

TEST_F(FileTools, ReadOfOtherThings) {
  put("d/b.txt", "x");
  put("d/sub/c", "x");
  put("png", std::string("\x89PNG\r\n\x1A\n\0\0", 10));
  put("nul", std::string("\0\0\0", 3));
  put("bad.txt", "a\xFFz\r\n");
  EXPECT_EQ(text("read", R"({"path":"d"})"), "d (folder, 2 entries)\nb.txt\nsub/");
  EXPECT_EQ(text("read", R"({"path":"d/"})"), "d/ (folder, 2 entries)\nb.txt\nsub/");
  EXPECT_EQ(text("read", R"({"path":"png"})"), "binary, 10 bytes, PNG image");
  EXPECT_EQ(text("read", R"({"path":"nul"})"), "binary, 3 bytes, unknown type");
  EXPECT_EQ(text("read", R"({"path":"bad.txt"})"), "bad.txt (lines 1-1 of 1)\n1\ta\uFFFDz");
  EXPECT_EQ(text("read", R"({"path":"bed.txt"})"), "E_PATH no bed.txt. Did you mean bad.txt?");
  ASSERT_EQ(::mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(text("read", R"({"path":"pipe"})"), "E_PATH pipe is not a regular file.");
}

TEST_F(FileTools, ArgumentsAreChecked) {
  EXPECT_EQ(text("read", "{}"), R"(E_ARGS read: missing "path". Got {}. Example: {"path":"a.py"})");
  EXPECT_EQ(text("read", R"({"path":null})"),
            R"(E_ARGS read: missing "path". Got {"path":null}. Example: {"path":"a.py"})");
  EXPECT_EQ(text("read", R"({"path":"a","lines":"x"})"),
            "E_ARGS read: \"lines\" must be a whole number. Got "
            R"({"lines":"x","path":"a"}. Example: {"path":"a.py"})");
  EXPECT_EQ(text("read", R"({"path":"a","start":0})"),
            "E_ARGS read: \"start\" must be at least 1. Got "
            R"({"path":"a","start":0}. Example: {"path":"a.py"})");
  EXPECT_EQ(text("read", R"([1])"),
            R"(E_ARGS read: arguments must be an object. Got [1]. Example: {"path":"a.py"})");
  EXPECT_EQ(
      text("write", R"({"path":"a"})"),
      R"(E_ARGS write: missing "content". Got {"path":"a"}. Example: {"path":"a.py","content":"x"})");
  EXPECT_EQ(text("edit", R"({"path":"a","edits":[{"old":"x"}]})"),
            R"(E_ARGS edit: bad "edits". Got {"edits":[{"old":"x"}],"path":"a"}. )"
            R"(Example: {"path":"a.py","edits":[{"old":"x","new":"y"}]})");
  EXPECT_TRUE(
      text("edit", R"({"path":"a","edits":[7]})").starts_with("E_ARGS edit: bad \"edits\"."));
  put("a", "x\n");
  EXPECT_EQ(text("read", R"({"path":"a","extra":1,"lines":2.0})"), "a (lines 1-1 of 1)\n1\tx");
  const std::string big = text("read", "{\"other\":\"" + std::string(500, 'y') + "\"}");
  EXPECT_EQ(big, "E_ARGS read: missing \"path\". Got {\"other\":\"" + std::string(190, 'y') +
                     ". Example: {\"path\":\"a.py\"}");
}

TEST_F(FileTools, BrokenJsonAndUnknownToolsAreAnswered) {
  EXPECT_EQ(text("read", R"({"path":"ls -la /u)"),
            "E_JSON cut off at byte 18 inside \"path\"; send the call again.");
  EXPECT_EQ(text("read", ""), "E_JSON cut off at byte 0; send the call again.");
  EXPECT_EQ(text("read", "{'a':1}"),
            "E_JSON byte 2: expected a key in quotes; send the call again.");
  EXPECT_EQ(text("read", R"({"a":1} x)"),
            "E_JSON byte 9: text after the value; send the call again.");
  EXPECT_EQ(text("read", R"({"a":"\q"})"), "E_JSON byte 8: bad escape; send the call again.");
  EXPECT_EQ(text("read", R"({"a":1e999})"),
            "E_JSON a number is out of range; send the call again.");
  EXPECT_TRUE(
      text("read", std::string(100000, '[')).starts_with("E_JSON byte 101: nested too deep"));
  EXPECT_EQ(text("grep", "{}"), "E_TOOL no tool \"grep\". Use search.");
  EXPECT_EQ(text("Read", "{}"), "E_TOOL no tool \"Read\". Use read.");
  EXPECT_EQ(text("raed", "{}"), "E_TOOL no tool \"raed\". Use read.");
  EXPECT_EQ(text("launch_rocket", "{}"),
            "E_TOOL no tool \"launch_rocket\". Use read, search, edit or write.");
}

TEST_F(FileTools, WriteMakesFoldersAndReportsTheChange) {
  const ToolResult made = call("write", R"({"path":"x/y/z.txt","content":"1\n2"})");
  EXPECT_EQ(made.text, "wrote x/y/z.txt (2 lines)");
  ASSERT_EQ(made.changes.size(), 1u);
  EXPECT_EQ(made.changes[0].path, "x/y/z.txt");
  EXPECT_TRUE(made.changes[0].created);
  const ToolResult replaced = call("write", R"({"path":"x/y/z.txt","content":""})");
  EXPECT_EQ(replaced.text, "wrote x/y/z.txt (0 lines)");
  EXPECT_EQ(replaced.changes[0].before, "1\n2");
  EXPECT_FALSE(replaced.changes[0].created);
  EXPECT_EQ(text("write", R"({"path":"x/y","content":"q"})"), "E_PATH x/y is a directory.");
  EXPECT_EQ(text("write", R"({"path":"x/new/","content":"q"})"),
            "E_PATH x/new/ is not the name of a file.");
}

TEST_F(FileTools, AFileChangedSinceItWasReadIsStaleOnce) {
  put("a.txt", "one\ntwo\nthree\n");
  text("read", R"({"path":"a.txt"})");
  put("a.txt", "one\nTWO\n2b\nthree\n");
  EXPECT_EQ(text("edit", R"({"path":"a.txt","edits":[{"old":"three","new":"3"}]})"),
            "E_STALE a.txt changed since you read it. New lines 2-3:\n2\tTWO\n3\t2b");
  EXPECT_EQ(get("a.txt"), "one\nTWO\n2b\nthree\n");
  EXPECT_EQ(text("edit", R"({"path":"a.txt","edits":[{"old":"three","new":"3"}]})"),
            "ok: 1 edit in a.txt\n3\t2b\n4\t3");
  put("a.txt", "one\n");
  EXPECT_EQ(text("write", R"({"path":"a.txt","content":"w"})"),
            "E_STALE a.txt changed since you read it. Lines are gone after line 1.");
  put("never-read.txt", "x\n");
  put("never-read.txt", "y\n");
  EXPECT_EQ(text("write", R"({"path":"never-read.txt","content":"z"})"),
            "wrote never-read.txt (1 lines)");
}

TEST_F(FileTools, EditErrors) {
  put("a.c", "int a;\nint b;\nint a;\n");
  EXPECT_EQ(text("edit", R"({"path":"a.c","edits":[{"old":"int a;","new":"x"}]})"),
            "E_MANY a.c: old matches lines 1, 3. Add a neighbouring line, or set all=true.");
  EXPECT_EQ(text("edit", R"({"path":"a.c","edits":[{"old":"zzz","new":"zzz"}]})"),
            "E_SAME old and new are equal; file unchanged.");
  EXPECT_EQ(text("edit", R"({"path":"a.c","edits":[{"old":"int c;","new":"int b;"}]})"),
            "E_DONE new text is already at line 2; nothing to do.");
  EXPECT_EQ(text("edit", R"({"path":"a.c","edits":[{"old":"","new":"x"}]})"),
            "E_ARGS edit: old is empty. Use write.");
  EXPECT_EQ(
      text("edit",
           R"({"path":"a.c","edits":[{"old":"int b;\nint a","new":"1"},{"old":"b;","new":"2"}]})"),
      "E_OVERLAP a.c: edit 1 (lines 2-3) and edit 2 (line 2) overlap; file unchanged. Make them "
      "one edit.");
  EXPECT_EQ(
      text("edit",
           R"({"path":"a.c","edits":[{"old":"int b;","new":"int q;"},{"old":"int q;","new":"2"}]})")
          .substr(0, 15),
      "E_NO_MATCH a.c:");
  EXPECT_EQ(get("a.c"), "int a;\nint b;\nint a;\n");
  EXPECT_EQ(text("edit", R"({"path":"a.c","edits":[{"old":"int a;","new":"A","all":true}]})"),
            "ok: 1 edit in a.c\n1\tA\n2\tint b;\n3\tA");
  put("empty", "");
  EXPECT_EQ(text("edit", R"({"path":"empty","edits":[{"old":"q","new":"x"}]})"),
            "E_NO_MATCH empty: \"old\" not found. The file is empty; use write.");
  EXPECT_EQ(text("edit", R"({"path":"empty","edits":[{"old":"","new":"x\ny"}]})"),
            "ok: 1 edit in empty\n1\tx\n2\ty");
  const ToolResult made = call("edit", R"({"path":"n/new.txt","edits":[{"old":"","new":"x\n"}]})");
  EXPECT_EQ(made.text, "ok: 1 edit in n/new.txt\n1\tx");
  EXPECT_TRUE(made.changes.at(0).created);
  EXPECT_EQ(text("edit", R"({"path":"a.x","edits":[{"old":"q","new":"x"}]})"),
            "E_PATH no a.x. Did you mean a.c?");
}

TEST_F(FileTools, EditKeepsModeLinkLineEndsAndMark) {
  put("real.sh", "\xEF\xBB\xBFone\r\ntwo\r\nthree");
  ASSERT_EQ(::chmod((root_ + "/real.sh").c_str(), 04751), 0);
  std::filesystem::create_symlink("real.sh", root_ + "/link.sh");
  const ToolResult result =
      call("edit", R"({"path":"link.sh","edits":[{"old":"one\ntwo","new":"1\n2\n2b"}]})");
  EXPECT_EQ(
      result.text,
      "ok: 1 edit in link.sh (matched ignoring line ends)\n1\t\uFEFF1\n2\t2\n3\t2b\n4\tthree");
  EXPECT_EQ(result.changes.at(0).path, "real.sh");
  EXPECT_EQ(get("real.sh"),
            "\xEF\xBB\xBF"
            "1\r\n2\r\n2b\r\nthree");
  EXPECT_TRUE(std::filesystem::is_symlink(root_ + "/link.sh"));
  struct stat status {};
  ASSERT_EQ(::stat((root_ + "/real.sh").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 04751u);
  text("edit", R"({"path":"real.sh","edits":[{"old":"three","new":"3\n4"}]})");
  EXPECT_EQ(get("real.sh"),
            "\xEF\xBB\xBF"
            "1\r\n2\r\n2b\r\n3\r\n4");
}

TEST_F(FileTools, AWriteThatCannotFinishLeavesTheOldFile) {
  put("a.txt", "old\n");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit tiny{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tiny), 0);
  const std::string result =
      call("write", "{\"path\":\"a.txt\",\"content\":\"" + std::string(5000, 'n') + "\"}").text;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(result, "E_IO cannot write a.txt: File too large. Nothing was changed.");
  EXPECT_EQ(get("a.txt"), "old\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root_), {}), 1);
}

}  // namespace
}  // namespace levin::tools
