#include "tools/syntax_check.h"

#include <gtest/gtest.h>

#include "tools/repo_index.h"

namespace levin::tools {
namespace {

class SyntaxCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_repo_index()) GTEST_SKIP() << "this build has no grammars";
  }
};

TEST_F(SyntaxCheckTest, NamesTheLineOfANewError) {
  const auto errors = new_syntax_errors("a.py", "x = 1\ny = 2\n", "x = 1\ny = (2\n");
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].line, 2u);
  EXPECT_TRUE(syntax_note("a.py", "x = 1\n", "x = (\n")
                  .starts_with("syntax: 1 new error in a.py\nline 1: "));
}

TEST_F(SyntaxCheckTest, GoodCodeInEachLanguageHasNone) {
  const std::pair<const char*, const char*> files[] = {
      {"a.c", "int f(int x) { return x ? 1 : 2; }\n"},
      {"a.cpp", "template <class T> auto f(T x) { return [&] { return x; }; }\n"},
      {"a.py", "async def f(x: int) -> str:\n    return f'{x}'\n"},
      {"a.js", "const f = async ({a, ...b}) => a?.b ?? `x${b}`;\n"},
      {"a.ts", "function f<T extends object>(x: T): x is T { return x as any; }\n"},
      {"a.tsx", "const a = <p className=\"x\">{b}</p>;\n"},
      {"a.rs", "fn f<'a>(x: &'a str) -> Option<&'a str> { Some(x) }\n"},
      {"a.go", "package a\nfunc f[T any](x T) T { return x }\n"},
      {"A.java", "record A(int x) { static <T> T f(T t) { return t; } }\n"},
      {"a.sh", "for x in \"${a[@]}\"; do echo \"$((x + 1))\"; done\n"},
      {"a.json", "{\"a\": [1, 2.5e3, null, true, \"x\\n\"]}\n"},
      {"a.html", "<!doctype html><p>a<br>b</p>\n"},
      {"a.css", "@media (min-width: 1px) { .a > .b:hover { color: #fff } }\n"}};
  for (const auto& [path, text] : files) EXPECT_EQ(syntax_note(path, "", text), "") << path;
}

TEST_F(SyntaxCheckTest, BrokenCodeInEachLanguageHasSome) {
  const std::pair<const char*, const char*> files[] = {{"a.c", "int f( { return 1; }\n"},
                                                       {"a.cpp", "class X { void f( };\n"},
                                                       {"a.py", "def f(:\n    pass\n"},
                                                       {"a.js", "function f( { return; }\n"},
                                                       {"a.ts", "let x: = 1;\n"},
                                                       {"a.tsx", "const a = <p>x</;\n"},
                                                       {"a.rs", "fn f( { }\n"},
                                                       {"a.go", "package a\nfunc f( {\n"},
                                                       {"A.java", "class A { void f( { } }\n"},
                                                       {"a.sh", "if true; then echo x\n"},
                                                       {"a.json", "{\"a\": [1, }\n"},
                                                       {"a.css", ".a { color: \n"}};
  for (const auto& [path, text] : files) EXPECT_NE(syntax_note(path, "", text), "") << path;
}

TEST_F(SyntaxCheckTest, OldErrorsAreNotToldAgain) {
  const std::string broken = "x = (\n\ndef f():\n    pass\n";
  EXPECT_EQ(syntax_note("a.py", broken, broken), "");
  EXPECT_EQ(syntax_note("a.js", "let a = ;\nlet b = 1;\n", "// moved\nlet a = ;\nlet b = 2;\n"),
            "");
  EXPECT_EQ(syntax_note("a.py", broken, "x = 1\n"), "");
}

TEST_F(SyntaxCheckTest, OddInputsAreQuiet) {
  EXPECT_EQ(syntax_note("a.txt", "", "((("), "");
  EXPECT_EQ(syntax_note("a.py", "", std::string("\0(", 2)), "");
  EXPECT_EQ(syntax_note("a.py", "", std::string(2 << 20, '(')), "");
  EXPECT_EQ(syntax_note("a.py", "", ""), "");
}

TEST_F(SyntaxCheckTest, ManyErrorsAreCutAndValidText) {
  std::string text;
  for (int line = 0; line < 3000; ++line) text += "let = \xff ) ;\n";
  const std::string note = syntax_note("a.js", "", text);
  EXPECT_LT(note.size(), 1000u);
  EXPECT_EQ(note.find('\xff'), std::string::npos);
}

}  // namespace
}  // namespace levin::tools
