#include "tests/tidy/scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace levin::tidy {
namespace {

std::string code_of(std::string_view text) {
  return split(text).code;
}

TEST(Scanner, CommentsAreNotCode) {
  EXPECT_EQ(code_of("a // b\nc"), "a     \nc");
  EXPECT_EQ(code_of("a /* b\n{ */ c"), "a     \n     c");
  EXPECT_EQ(split("a // why").comments, "     why");
  EXPECT_EQ(code_of("a // b\\\nc\nd"), "a      \n \nd");
}

TEST(Scanner, LiteralsAreBlanks) {
  EXPECT_EQ(code_of(R"(f("{ // \" }");)"), R"(f("         ");)");
  EXPECT_EQ(code_of("c = '\"'; d"), "c = ' '; d");
  EXPECT_EQ(code_of("c = '\\''; d"), "c = '  '; d");
  EXPECT_EQ(code_of("x = 1'000 + 0xF'F; '{'"), "x = 1'000 + 0xF'F; ' '");
}

TEST(Scanner, RawStringsEndAtTheirOwnDelimiter) {
  EXPECT_EQ(code_of("R\"(a\"{)\" + b"), "R\"     \" + b");
  EXPECT_EQ(code_of("u8R\"x(a)\"{)x\" b"), "u8R\"        \" b");
  EXPECT_EQ(code_of("BAR\"a\" b"), "BAR\" \" b");
}

TEST(Scanner, BrokenTextEnds) {
  for (const char* text : {"\"", "'", "R\"", "R\"(", "/*", "//", "\"\\", "{", "}"}) {
    const Views views = split(text);
    EXPECT_EQ(views.code.size(), std::string_view(text).size()) << text;
    find_functions(views.code);
  }
}

TEST(Scanner, FunctionsAreMeasuredFromBraceToBrace) {
  const Functions functions = find_functions(
      "namespace a {\n"
      "class B : public C {\n"
      " public:\n"
      "  B() : x_{1}, y_{2} {\n"
      "    if (x) {\n"
      "    }\n"
      "  }\n"
      "  int x_{0};\n"
      "};\n"
      "template <class T>\n"
      "struct S { T t; };\n"
      "const int kTable[] = {1, f(2), 3};\n"
      "int f(int a,\n"
      "      int b) {\n"
      "  return [&] { return a; }();\n"
      "}\n"
      "}\n");
  ASSERT_TRUE(functions.balanced);
  ASSERT_EQ(functions.found.size(), 2u);
  EXPECT_EQ(functions.found[0].line, 4u);
  EXPECT_EQ(functions.found[0].lines, 4u);
  EXPECT_EQ(functions.found[1].line, 14u);
  EXPECT_EQ(functions.found[1].lines, 3u);
}

TEST(Scanner, FormsOfFunctionsAreRecognised) {
  for (const char* text :
       {"auto f() -> int { }", "int A::f() const noexcept { }", "extern int f() { }",
        "A::A(int a) : B(a), c_(a) { }", "template <typename T> void f(T t) { }", "TEST(A, B) { }",
        "auto f = [](int a) { };", "[[nodiscard]] int f() { }", "struct S { void f() { } };",
        "bool operator<(const A& a) { }", "extern \"C\" { void f() { } }",
        "struct alignas(8) S { void f() { } };"}) {
    const Functions functions = find_functions(split(text).code);
    EXPECT_TRUE(functions.balanced) << text;
    EXPECT_EQ(functions.found.size(), 1u) << text;
  }
}

TEST(Scanner, OtherBracesAreNoFunctions) {
  for (const char* text :
       {"int a = f({1, 2});", "enum class E { kA, kB };", "int x{3};", "#define F(x) { x\nint a;",
        "std::map<int, int> m = {{1, f(2)}};", "union U { int a; };"}) {
    const Functions functions = find_functions(split(text).code);
    EXPECT_TRUE(functions.balanced) << text;
    EXPECT_TRUE(functions.found.empty()) << text;
  }
}

TEST(Scanner, UnpairedBracesAreNoticed) {
  EXPECT_FALSE(find_functions("void f() { {").balanced);
  EXPECT_FALSE(find_functions("}").balanced);
}

TEST(Scanner, WordsAreWhole) {
  EXPECT_EQ(find_word("operand(a) rand(b)", "rand").size(), 1u);
  EXPECT_EQ(find_word("srand(b) rand_r(c)", "rand").size(), 0u);
}

}  // namespace
}  // namespace levin::tidy
