#include <sys/stat.h>

#include <atomic>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/tools/workspace_fixture.h"
#include "tools/glob.h"
#include "tools/regex.h"

namespace levin::tools {
namespace {

class Search : public ToolTest {};

TEST_F(Search, TotalsFirstThenHits) {
  put("b.py", "x = Foo\nfoo()\n");
  put("a/c.h", "int foo;\r\n");
  put(".hidden", "foo");
  put("bin", std::string("foo\0", 4));
  put(".gitignore", "skip/\n");
  put("skip/x.py", "foo");
  EXPECT_EQ(text("search", R"({"pattern":"foo"})"),
            "3 hits in 2 files\na/c.h:1: int foo;\nb.py:1: x = Foo\nb.py:2: foo()");
  EXPECT_EQ(text("search", R"({"pattern":"Foo"})"), "1 hit in 1 file\nb.py:1: x = Foo");
  EXPECT_EQ(text("search", R"({"pattern":"foo(","literal":true})"),
            "1 hit in 1 file\nb.py:2: foo()");
  EXPECT_EQ(text("search", R"({"pattern":"foo","glob":"*.{h,c}"})"),
            "1 hit in 1 file\na/c.h:1: int foo;");
  EXPECT_EQ(text("search", R"({"pattern":"foo","path":"skip/x.py"})"),
            "1 hit in 1 file\nskip/x.py:1: foo");
  EXPECT_EQ(text("search", R"({"pattern":"nothing"})"), "0 hits");
  EXPECT_EQ(text("search", R"({"pattern":"*.py","mode":"files"})"), "1 file\nb.py");
  EXPECT_EQ(text("search", R"({"pattern":"a/","mode":"files"})"), "1 file\na/c.h");
}

TEST_F(Search, Errors) {
  EXPECT_EQ(text("search", R"({"pattern":"a","mode":"names"})"),
            "E_ARGS search: \"mode\" must be \"text\", \"files\" or \"symbol\". Got "
            R"({"mode":"names","pattern":"a"}. Example: {"pattern":"main"})");
  EXPECT_TRUE(
      text("search", R"({"pattern":"a("})")
          .starts_with("E_ARGS search: bad \"pattern\" (missing closing parenthesis at byte 2;"));
  EXPECT_TRUE(
      text("search", R"({"pattern":"a","path":"nowhere"})").starts_with("E_PATH no nowhere."));
  EXPECT_TRUE(text("search", R"({"pattern":"a","path":".."})").starts_with("E_DENIED .. ("));
}

TEST_F(Search, CapsAndSaysSo) {
  std::string content;
  for (int line = 0; line < 412; ++line) content += "hit\n";
  put("many.txt", content);
  const std::string shown = text("search", R"({"pattern":"hit"})");
  EXPECT_TRUE(
      shown.starts_with("80 of 412 hits in 1 file, narrow with glob or path\nmany.txt:1: hit\n"));
  EXPECT_TRUE(shown.ends_with("many.txt:80: hit"));
}

TEST_F(Search, ACostlyPatternEnds) {
  put("a.txt", std::string(400, 'a') + "b\n");
  EXPECT_TRUE(text("search", R"({"pattern":"^(a|a?)+c$"})").starts_with("0 hits"));
}

TEST(Globs, Match) {
  EXPECT_TRUE(Glob("*.c").matches("a.c"));
  EXPECT_FALSE(Glob("*.c").matches("d/a.c"));
  EXPECT_TRUE(Glob("**/a.c").matches("a.c"));
  EXPECT_TRUE(Glob("**/a.c").matches("x/y/a.c"));
  EXPECT_FALSE(Glob("**/a.c").matches("x/ba.c"));
  EXPECT_TRUE(Glob("a/**/b").matches("a/b"));
  EXPECT_TRUE(Glob("a/**/b").matches("a/x/y/b"));
  EXPECT_TRUE(Glob("a/**").matches("a/x/y"));
  EXPECT_TRUE(Glob("[!a-c]?[]x]").matches("dz]"));
  EXPECT_FALSE(Glob("[!a-c]").matches("b"));
  EXPECT_TRUE(Glob("\\*[").matches("*["));
  EXPECT_EQ(expand_braces("{a,b{c,d}}e").size(), 3u);
  EXPECT_FALSE(Glob(std::string(2000, '*') + "x").matches(std::string(4000, 'y')));
}

TEST(Patterns, SmartCase) {
  EXPECT_TRUE(has_capital("Foo", false));
  EXPECT_FALSE(has_capital("\\S+\\p{Lu}\\W", false));
  EXPECT_TRUE(has_capital("\\S", true));
  EXPECT_TRUE(has_capital("über Ärger", false));
  EXPECT_FALSE(has_capital("(?P<n>x)", false));
}

TEST_F(Search, AGlobNarrowsAndNeverBringsBackWhatIsIgnored) {
  put(".gitignore", "*.log\n/build/\n");
  put("a.log", "foo\n");
  put("build/a.c", "foo\n");
  put("src/a.c", "foo\n");
  put("src/a.min.js", "foo\n");
  put("vendor/a.c", "foo\n");
  EXPECT_EQ(text("search", R"({"pattern":"foo","glob":"*.log"})"), "0 hits");
  EXPECT_EQ(text("search", R"({"pattern":"foo","glob":"*"})").substr(0, 17), "3 hits in 3 files");
  EXPECT_EQ(text("search", R"({"pattern":"foo","glob":"!vendor"})"),
            "2 hits in 2 files\nsrc/a.c:1: foo\nsrc/a.min.js:1: foo");
  EXPECT_EQ(text("search", R"({"pattern":"foo","glob":"!*.{min.js,h}","path":"src"})"),
            "1 hit in 1 file\nsrc/a.c:1: foo");
  EXPECT_EQ(text("search", R"({"pattern":"foo","glob":"src/"})").substr(0, 17),
            "2 hits in 2 files");
  EXPECT_EQ(text("search", R"({"pattern":"foo","glob":"/src/*.c"})"),
            "1 hit in 1 file\nsrc/a.c:1: foo");
}

TEST_F(Search, HitsAreInPathOrderWhateverThreadFindsThem) {
  std::string expected = "80 of 400 hits in 400 files, narrow with glob or path";
  for (int file = 0; file < 400; ++file) {
    const std::string path =
        "d" + std::to_string(100 + file / 10) + "/f" + std::to_string(file % 10);
    put(path, "x\nneedle\n");
    if (file < 80) expected += "\n" + path + ":2: needle";
  }
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(text("search", R"({"pattern":"needle"})"), expected);
  }
}

TEST_F(Search, APatternOfTwoLinesIsRefused) {
  put("a.txt", "one\ntwo\n");
  EXPECT_TRUE(text("search", R"({"pattern":"one\ntwo","literal":true})")
                  .starts_with("E_ARGS search: \"pattern\" spans lines, search for one of them."));
}

TEST_F(Search, AFlippingLinkNeverLeadsOut) {
  const std::string outside = base_ + "/outside";
  std::filesystem::create_directories(outside + "/deep");
  std::ofstream(outside + "/secret.txt") << "needle of the outside\n";
  std::ofstream(outside + "/deep/.gitignore") << "needle of the outside\n";
  put("flip/inside.txt", "needle\n");
  put("flip/deep/inside.txt", "needle\n");
  std::atomic<bool> stop{false};
  std::thread flipper([&] {
    while (!stop.load()) {
      std::filesystem::rename(root_ + "/flip", root_ + "/kept");
      std::filesystem::create_directory_symlink(outside, root_ + "/flip");
      std::filesystem::remove(root_ + "/flip");
      std::filesystem::rename(root_ + "/kept", root_ + "/flip");
    }
  });
  int seen = 0;
  for (int round = 0; round < 300; ++round) {
    const ToolResult result = call("search", R"({"pattern":"needle"})");
    EXPECT_EQ(result.text.find("outside"), std::string::npos) << result.text;
    if (result.text.find("inside.txt") != std::string::npos) ++seen;
    const ToolResult named = call("search", R"({"pattern":"needle","path":"flip"})");
    EXPECT_EQ(named.text.find("of the outside"), std::string::npos) << named.text;
  }
  stop.store(true);
  flipper.join();
  EXPECT_GT(seen, 0);
}

TEST_F(Search, LinksPipesAndProcAreNotRead) {
  std::filesystem::create_symlink("/proc/self/environ", root_ + "/environ");
  std::filesystem::create_symlink("/proc/self/root/etc", root_ + "/etc");
  std::filesystem::create_symlink(base_, root_ + "/up");
  std::ofstream(base_ + "/secret.txt") << "PATH\n";
  ASSERT_EQ(::mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(text("search", R"({"pattern":"PATH"})"), "0 hits");
  for (const std::string path : {"environ", "etc", "up", "/proc/self", "..", "up/secret.txt"}) {
    EXPECT_TRUE(text("search", nlohmann::json{{"pattern", "PATH"}, {"path", path}}.dump())
                    .starts_with("E_DENIED " + path + " ("))
        << path;
  }
}

TEST_F(Search, AnInterruptEndsItAndSaysSo) {
  for (int file = 0; file < 200; ++file) put(std::to_string(file), "foo\n");
  const std::atomic<bool> interrupted{true};
  ToolContext context{*workspace_, nullptr, nullptr, &interrupted, ""};
  const ToolResult result = registry_.call("search", R"({"pattern":"foo"})", context);
  EXPECT_TRUE(result.text.ends_with("\nNot all files were searched; name a folder in path."))
      << result.text;
}

}  // namespace
}  // namespace levin::tools
