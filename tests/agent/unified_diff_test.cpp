// Against diff(1) and patch(1): our patches apply, and are as short.
#include "agent/unified_diff.h"
#include "tests/support/run_program.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace levin::agent {
namespace {

TEST(UnifiedDiff, Shape) {
  EXPECT_EQ(unified_diff("a.c", "x\n", "x\n"), "");
  EXPECT_EQ(unified_diff("a.c", "1\n2\n3\n", "1\nX\n3\n"),
            "--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,3 @@\n 1\n-2\n+X\n 3\n");
  EXPECT_EQ(unified_diff("a.c", "", "1\n"), "--- a/a.c\n+++ b/a.c\n@@ -0,0 +1 @@\n+1\n");
  EXPECT_EQ(unified_diff("a.c", "1\n2", "1\n2\n"),
            "--- a/a.c\n+++ b/a.c\n@@ -1,2 +1,2 @@\n 1\n-2\n\\ No newline at end of file\n+2\n");
  EXPECT_EQ(unified_diff("a.c", "1\n2\n3\n4\n5\n", "1\n2\n3\n5\n", 1),
            "--- a/a.c\n+++ b/a.c\n@@ -3,3 +3,2 @@\n 3\n-4\n 5\n");
}

TEST(UnifiedDiff, TextsThatDifferEverywhereAreBounded) {
  std::string a;
  std::string b;
  for (int line = 0; line < 5000; ++line) {
    a += "a" + std::to_string(line) + "\n";
    b += "b" + std::to_string(line) + "\n";
  }
  EXPECT_EQ(unified_diff("f", a, b).substr(0, 40), "--- a/f\n+++ b/f\n@@ -1,5000 +1,5000 @@\n-a");
}

std::string run(const std::string& command) {
  FILE* const pipe = ::popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
  if (pipe != nullptr) ::pclose(pipe);
  return text;
}

size_t changed_lines(const std::string& diff) {
  size_t count = 0;
  std::istringstream lines(diff);
  for (std::string line; std::getline(lines, line);) {
    const bool header = line.starts_with("---") || line.starts_with("+++");
    if (!header && (line.starts_with('+') || line.starts_with('-'))) ++count;
  }
  return count;
}

TEST(UnifiedDiff, PatchesApplyAndAreAsShortAsDiffs) {
  if (!test::has_program("patch") || !test::has_program("diff")) {
    GTEST_SKIP() << "patch or diff is not installed";
  }
  std::string pattern = (std::filesystem::temp_directory_path() / "levin-diff-XXXXXX").string();
  const std::string folder = ::mkdtemp(pattern.data());
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    std::string a;
    std::string b;
    const unsigned size = static_cast<unsigned>(random() % 40);
    for (unsigned line = 0; line < size; ++line) {
      const std::string text = "l" + std::to_string(random() % 12) + "\n";
      if (random() % 8 != 0) a += text;
      if (random() % 8 != 0) b += text;
    }
    if (random() % 4 == 0 && !a.empty()) a.pop_back();
    if (random() % 4 == 0 && !b.empty()) b.pop_back();
    if (a == b || a.empty()) continue;
    const std::string diff = unified_diff("f", a, b);
    std::ofstream(folder + "/a", std::ios::binary) << a;
    std::ofstream(folder + "/b", std::ios::binary) << b;
    std::ofstream(folder + "/p", std::ios::binary) << diff;
    const std::string in = "cd '" + folder + "' && ";
    ASSERT_EQ(run(in + "patch -s --posix -F0 -o out a p 2>&1 && cmp out b 2>&1"), "") << diff;
    EXPECT_EQ(changed_lines(diff), changed_lines(run(in + "diff -d -u a b")));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace levin::agent
