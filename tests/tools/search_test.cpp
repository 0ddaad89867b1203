#include <cstdio>
#include <random>
#include <set>

#include <nlohmann/json.hpp>

#include "tests/support/run_program.h"
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
  EXPECT_EQ(text("search", R"({"pattern":"a","mode":"symbol"})"),
            "E_ARGS search: mode \"symbol\" is not available yet, use \"text\" or \"files\". Got "
            R"({"mode":"symbol","pattern":"a"}. Example: {"pattern":"main"})");
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
}

std::set<std::string> ripgrep(const std::string& folder, const std::string& pattern) {
  std::set<std::string> lines;
  const std::string command = "cd '" + folder +
                              "' && rg --no-config --no-require-git -S -n --no-heading -e '" +
                              pattern + "' . 2>/dev/null";
  FILE* const pipe = ::popen(command.c_str(), "r");
  char buffer[4096];
  while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
    std::string line(buffer);
    line = line.substr(2);  // "./"
    lines.insert(line.substr(0, line.find(':', line.find(':') + 1)));
  }
  if (pipe != nullptr) ::pclose(pipe);
  return lines;
}

TEST_F(Search, FindsWhatRipgrepFinds) {
  if (!test::has_program("rg")) GTEST_SKIP() << "rg is not installed";
  std::mt19937 random(3);
  const auto pick = [&](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  const std::vector<std::string> words = {"alpha",   "Beta", "gamma1", "x_y",
                                          "foo.bar", "  ",   "über",   "f(x)"};
  const std::vector<std::string> folders = {"",      "src/",  "src/deep/", "build/",
                                            "docs/", ".cfg/", "a b/"};
  for (int file = 0; file < 60; ++file) {
    std::string content;
    for (int line = 0; line < 8; ++line)
      content += pick(words) + pick(words) + (random() % 2 ? "\n" : " ");
    put(pick(folders) + std::to_string(file) + pick({".c", ".h", ".log", ".tmp"}), content);
  }
  put(".gitignore", "*.log\n/build\n!7.log\n");
  put("src/.gitignore", "deep/*.h\n*.tmp\n");
  put("src/deep/.gitignore", "!*.tmp\n");
  for (const std::string pattern :
       {"alpha", "Beta", "beta", "gamma\\d", "x_y$", "^f", "foo.b", "\\bf", "[0-9]x?"}) {
    std::set<std::string> ours;
    for (const std::string folder : {"src/deep", "src", "docs", "build", "a b", "."}) {
      // Folder by folder, so that no answer is cut.
      for (const std::string ending : {"*.c", "*.h", "*.log", "*.tmp"}) {
        const nlohmann::json arguments{{"pattern", pattern}, {"path", folder}, {"glob", ending}};
        const std::string result = text("search", arguments.dump());
        size_t at = result.find('\n');
        if (folder == "." && result.find(" of ") != std::string::npos) continue;
        ASSERT_EQ(result.substr(0, at).find(" of "), std::string::npos);
        while (at != std::string::npos) {
          const size_t end = result.find('\n', at + 1);
          const std::string line = result.substr(at + 1, end - at - 1);
          if (!line.starts_with("build/"))
            ours.insert(line.substr(0, line.find(':', line.find(':') + 1)));
          at = end;
        }
      }
    }
    EXPECT_EQ(ours, ripgrep(root_, pattern)) << pattern;
  }
}

}  // namespace
}  // namespace levin::tools
