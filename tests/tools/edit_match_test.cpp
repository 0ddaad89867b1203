// The matching ladder, level by level: what applies, what it leaves alone, what it refuses.
#include "tools/edit_match.h"

#include <gtest/gtest.h>

#include <random>

#include "tools/closest.h"
#include "tools/edit_apply.h"

namespace levin::tools {
namespace {

struct Applied {
  std::string after;
  int level;
};

Applied apply(const std::string& file, const std::string& old_text, const std::string& new_text) {
  const MatchResult result = find_matches(file, old_text, new_text);
  if (result.matches.size() != 1) return {"", result.matches.empty() ? 0 : -result.level};
  const TextMatch& match = result.matches[0];
  return {file.substr(0, match.begin) + match.replacement + file.substr(match.end), result.level};
}

#define EXPECT_APPLIED(level_wanted, after_wanted, ...) \
  do {                                                  \
    const Applied applied = apply(__VA_ARGS__);         \
    EXPECT_EQ(applied.level, level_wanted);             \
    EXPECT_EQ(applied.after, after_wanted);             \
  } while (false)

TEST(EditMatch, ExactAndLineEnds) {
  EXPECT_APPLIED(kExact, "a X c", "a b c", "b", "X");
  EXPECT_APPLIED(kExact, "a\r\nX\r\nY\r\n", "a\r\nb\r\n", "b", "X\nY");
  EXPECT_APPLIED(kLineEnds, "a\r\nX\r\nY\r\nc\r\n", "a\r\nb\r\nc\r\n", "a\nb\n", "a\nX\nY\n");
  EXPECT_APPLIED(kLineEnds, "a\nX\n", "a\nb\n", "a\r\nb\r\n", "a\r\nX\r\n");
  EXPECT_APPLIED(kLineEnds, "X\nb\n", "a\nb\n",
                 "\xEF\xBB\xBF"
                 "a\n",
                 "\xEF\xBB\xBFX\n");
}

TEST(EditMatch, TrailingSpaceAndOuterBlankLines) {
  EXPECT_APPLIED(kTrailingSpace, "X\nc", "a  \nb\nc", "a\nb", "X");
  EXPECT_APPLIED(kTrailingSpace, "X\nc", "a\nb\nc", "a \nb\t", "X");
  EXPECT_APPLIED(0, "", "foo(a)\n", "foo(  ", "bar(");
  EXPECT_APPLIED(kOuterBlankLines, "a\nX\nc\n", "a\nb\nc\n", "\n\nb\n\n", "\n\nX\n\n");
  EXPECT_APPLIED(kOuterBlankLines, "a\nX", "a\nb", "b\n", "X\n");
  EXPECT_APPLIED(kOuterBlankLines, "a\nc\n", "a\nb\nc\n", "\n\nb\n\n", "");
}

TEST(EditMatch, AQuoteBetweenTwoChangesIsTheFilesOwn) {
  EXPECT_APPLIED(kOddCharacters, "set(\u201Dy ${A}\u201D)\n  more();\nend\n",
                 "set(\u201Dx ${A}\u201D)\nend\n", "set(\"x ${A}\")", "set(\"y ${A}\")\n  more();");
  // The file's trailing blanks stay, the model's do not come twice.
  EXPECT_APPLIED(kOddCharacters, "q B;  \n it\u2019s\n", "p B;  \n it\u2019s\n", "p B; \n it's",
                 "q B; \n it's");
  // Code that the model adds keeps its straight quotes.
  EXPECT_APPLIED(kOddCharacters, "# don\u2019t\nx = 'a'\n", "# don\u2019t\ny\n", "# don't\ny",
                 "# don't\nx = 'a'");
}

TEST(EditMatch, ALineWithoutItsIndentationTakesItsLinesAlong) {
  const std::string file = "class A:\n    def f(self):\n        return x\n";
  EXPECT_APPLIED(
      kIndentation,
      "class A:\n    def f(self):\n        if y:\n            return y\n        return x\n", file,
      "return x", "if y:\n    return y\nreturn x");
  // Lines counted from the margin are taken as they are.
  EXPECT_APPLIED(kExact, "class A:\n    def f(self):\n        y = 1\n        return x\n", file,
                 "return x", "y = 1\n        return x");
  EXPECT_APPLIED(kExact, "class A:\n    def f(self):\n        return x\n\ndef g():\n    pass\n",
                 file, "return x", "return x\n\ndef g():\n    pass");
  // A part of a line is no line.
  EXPECT_APPLIED(kExact, "class A:\n    def f(self):\n        return (a,\nb)\n", file, "x",
                 "(a,\nb)");
}

TEST(EditMatch, ColumnsOrderIndentationsNotBytes) {
  EXPECT_APPLIED(kIndentation, "  if a:\n    g()\n", "  if a:\n    f()\n", "  if a:\n\tf()\n",
                 "  if a:\n\tg()\n");
}

TEST(EditMatch, LineNumbersOddCharactersEscapes) {
  EXPECT_APPLIED(kLineNumbers, "X\ny\n", "a\nb\n", "1\ta\n2\tb", "1\tX\n2\ty");
  EXPECT_APPLIED(0, "", "a\nb\n", "1\ta\n5\tb", "X");
  EXPECT_APPLIED(kOddCharacters, "say \u201Cbye\u201D \u2013 now\n",
                 "say \u201Chi\u201D \u2013 now\n", "say \"hi\" - now", "say \"bye\" - now");
  EXPECT_APPLIED(kOverEscaped, "p(\"b\")\nq\n", "p(\"a\")\nq\n", "p(\\\"a\\\")\\nq",
                 "p(\\\"b\\\")\\nq");
}

TEST(EditMatch, IndentationIsTakenFromTheFile) {
  EXPECT_APPLIED(kIndentation, "class A:\n    def f(self):\n        if x:\n            return 2\n",
                 "class A:\n    def f(self):\n        return 1\n", "def f(self):\n  return 1",
                 "def f(self):\n  if x:\n    return 2");
  EXPECT_APPLIED(kIndentation, "\tif a {\n\t\tc()\n\t\tif d {\n\t\t\te()\n\t\t}\n\t}\n",
                 "\tif a {\n\t\tb()\n\t}\n", "if a {\n    b()\n}",
                 "if a {\n    c()\n    if d {\n        e()\n    }\n}");
  // The model's text has another structure: b would leave the block.
  EXPECT_APPLIED(0, "", "if a:\n    x()\n    b()\n", "if a:\n        x()\nb()", "pass");
  EXPECT_APPLIED(0, "", "  }\n", "      }", "}}");
}

TEST(EditMatch, SpacingAndElision) {
  EXPECT_APPLIED(kSpacing, "  r = f(b, 2)\n", "  r = f( a,1 )\n", "r=f(a, 1)", "r = f(b, 2)");
  EXPECT_APPLIED(0, "", "s = \"a b\"\n", "s=\"a  b\"", "x");
  EXPECT_APPLIED(kElision, "f() {\n  one\n  two\n  tres\n}\n", "f() {\n  one\n  two\n  three\n}\n",
                 "f() {\n...\n  three\n}", "f() {\n...\n  tres\n}");
  EXPECT_APPLIED(0, "", "a\nb\nc\n", "a\n...\nc", "a\nc");  // The new text must say where they go.
  EXPECT_APPLIED(-kElision, "", "a\nc\nb\nc\n", "a\n...\nc", "A\n...\nC");
}

TEST(EditMatch, TheFirstLevelWithAMatchDecides) {
  EXPECT_APPLIED(kExact, "X\na \n", "a\na \n", "a\n", "X\n");
  EXPECT_APPLIED(-kTrailingSpace, "", "a \nb\na\t\nb\n", "a\nb", "x");
}

TEST(EditMatch, ResultsNameTheLevel) {
  EXPECT_EQ(apply_edits("a  \nb\n", {{"a\nb", "X\nY"}}, "f").text,
            "ok: 1 edit in f (matched ignoring trailing space)\n1\tX\n2\tY");
  EXPECT_EQ(apply_edits("a  \nb\nc\n", {{"c", "C"}, {"a\nb", "X"}}, "f").text,
            "ok: 2 edits in f (edit 2 matched ignoring trailing space)\n1\tX\n2\tC");
  // A repeated forgiving edit finds its own result.
  EXPECT_EQ(apply_edits("foo(a)\n", {{"foo( a )", "foo(a)"}}, "f").text,
            "E_DONE new text is already at line 1; nothing to do.");
}

TEST(EditMatch, ElisionsThatFitInTooManyWaysEnd) {
  std::string file;
  for (int line = 0; line < 3000; ++line) file += "x\n";
  std::string old_text = "x";
  for (int count = 0; count < 10; ++count) old_text += "\n...\nx";
  EXPECT_EQ(find_matches(file, old_text + "\n...\ny", old_text + "\n...\nz").matches.size(), 0u);
}

TEST(ClosestText, BitParallelLengthIsRight) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string a(random() % 200, ' ');
    std::string b(random() % 200, ' ');
    for (char& c : a) c = static_cast<char>('a' + random() % 3);
    for (char& c : b) c = static_cast<char>('a' + random() % 3);
    std::vector<size_t> row(b.size() + 1, 0);
    for (const char x : a) {
      size_t diagonal = 0;
      for (size_t j = 1; j <= b.size(); ++j) {
        const size_t above = row[j];
        row[j] = x == b[j - 1] ? diagonal + 1 : std::max(row[j], row[j - 1]);
        diagonal = above;
      }
    }
    ASSERT_EQ(common_subsequence(a, b), row.back());
  }
}

TEST(ClosestText, ABigFileIsSearchedInBoundedTime) {
  std::string file;
  for (int line = 0; line < 200'000; ++line)
    file += "value " + std::to_string(line) + " = compute()\n";
  const ClosestText closest = closest_text(file, "value 123456 = compote()\n");
  EXPECT_EQ(closest.first_line, 123'457u);
}

}  // namespace
}  // namespace levin::tools
