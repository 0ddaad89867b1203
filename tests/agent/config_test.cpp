// config.toml: what it may hold, and what is said about what it may not.
#include "agent/config.h"

#include <gtest/gtest.h>

namespace levin::agent {
namespace {

std::string problem(std::string_view text) {
  Config config;
  const Result<void> result = apply_config(text, "c.toml", &config);
  return result ? "" : result.error().message();
}

TEST(ConfigTest, LaterFilesGoOverEarlierOnes) {
  Config config;
  ASSERT_TRUE(apply_config("test_command = \"make a\"\ntest_after_edits = true\n", "u", &config));
  ASSERT_TRUE(apply_config("test_command = 'make b'\n", "p", &config));
  EXPECT_EQ(config.test_command, "make b");
  EXPECT_TRUE(config.test_after_edits);
  ASSERT_TRUE(apply_config("# nothing\n", "p", &config));
  EXPECT_EQ(config.test_command, "make b");
}

TEST(ConfigTest, ProtectedPathsOfBothFilesHold) {
  Config config;
  ASSERT_TRUE(apply_config("protect = ['AGENTS.md']\n", "u", &config));
  ASSERT_TRUE(apply_config("protect = ['docs/CLAUDE.md']\n", "p", &config));
  EXPECT_EQ(config.protect, (std::vector<std::string>{"AGENTS.md", "docs/CLAUDE.md"}));
}

TEST(ConfigTest, MistakesAreNamedWithTheirPlace) {
  EXPECT_EQ(problem("\ntest_command = 3\n"),
            "c.toml:2: test_command must be a string without NUL bytes");
  EXPECT_EQ(problem("test_after_edits = \"yes\""),
            "c.toml:1: test_after_edits must be true or false");
  EXPECT_EQ(
      problem("tests = 1"),
      "c.toml:1: unknown key \"tests\" (there are test_command, test_after_edits and protect)");
  EXPECT_TRUE(problem("test_command = \"a\\u0000b\"").starts_with("c.toml:1: test_command must"));
  for (const char* list : {"3", "[3]", "['']", "['/etc']", "['a/../../b']", "['../b']", "['a/']"}) {
    EXPECT_TRUE(problem("protect = " + std::string(list)).starts_with("c.toml:1: protect")) << list;
  }
  EXPECT_TRUE(problem("a = \n").starts_with("c.toml:1: "));
}

}  // namespace
}  // namespace levin::agent
