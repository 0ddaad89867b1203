#include "tools/line_finder.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace levin::tools {
namespace {

using Lines = std::vector<std::pair<size_t, std::string>>;

Lines found_by(LineFinder& finder, std::string_view text) {
  Lines lines;
  finder.find(text, [&](size_t number, std::string_view line) {
    lines.emplace_back(number, std::string(line));
  });
  return lines;
}

// What a search line by line finds.
Lines expected(const std::string& pattern, bool literal, std::string_view text) {
  Regex regex = *Regex::compile(pattern, literal);
  Lines lines;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (regex.matches(line)) lines.emplace_back(number, std::string(line));
  }
  return lines;
}

TEST(LineFinderTest, FindsAsLineByLineWhateverThePattern) {
  const std::vector<std::string> patterns = {
      "ab",     "Ab",           "^",         "$",       "^$",       "x*",         "\\s+b",
      "a\\s*$", "[^x]b",        "a|^b$",     "(a|b)+c", "\\bab\\b", "\\Bb",       "(?!\\s)a",
      "b(?=c)", "(?<!a)b",      "a++b",      "\\Aab",   "ab\\z",    "(a.?)\\1",   "a{2,3}",
      "\\W$",   "^\\s*$",       "[\\s\\S]b", "a.*b.*c", "(?i)AB",   "(?m)^b",     "(?s)a.b",
      "b\\Z",   "[[:space:]]a", "ü",         "Ü",       "\\xC3",    "\\x{fc}",    ".",
      "c\\n",   "\\R",          "(?>a*)b",   "a*+b",    "\\Kab",    "(*COMMIT)b", "a\\+"};
  const std::vector<std::string> pieces = {"a", "b",    "c",  "ab", " ", "\n", "\n",   "\n\n",
                                           "ü", "\r\n", "\t", "x",  "A", "B",  "\xFF", "\xC3"};
  std::mt19937 random(20261124);
  for (const std::string& pattern : patterns) {
    for (const bool literal : {false, true}) {
      auto finder = LineFinder::create(pattern, literal);
      ASSERT_TRUE(finder) << pattern;
      for (int round = 0; round < 60; ++round) {
        std::string text;
        const bool with_cr = round % 3 == 0;
        for (size_t count = random() % 40; count > 0; --count) {
          const std::string& piece = pieces[random() % pieces.size()];
          if (with_cr || piece != "\r\n") text += piece;
        }
        EXPECT_EQ(found_by(*finder, text), expected(pattern, literal, text))
            << pattern << (literal ? " literal" : "") << " in " << ::testing::PrintToString(text);
      }
    }
  }
}

TEST(LineFinderTest, AByteOrderMarkIsNoPartOfTheFirstLine) {
  auto finder = LineFinder::create("^foo", false);
  ASSERT_TRUE(finder);
  EXPECT_EQ(found_by(*finder,
                     "\xEF\xBB\xBF"
                     "foo\nfoo"),
            (Lines{{1, "foo"}, {2, "foo"}}));
}

TEST(LineFinderTest, GivingUpOnOneLineLosesNoOther) {
  auto finder = LineFinder::create("^(a|a?)+c$", false);
  ASSERT_TRUE(finder);
  const std::string costly = std::string(400, 'a') + "bc";
  EXPECT_EQ(found_by(*finder, "aac\n" + costly + "\nac\n"), (Lines{{1, "aac"}, {3, "ac"}}));
  EXPECT_TRUE(finder->gave_up());
}

}  // namespace
}  // namespace levin::tools
