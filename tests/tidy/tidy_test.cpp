// The rules of the house, applied to this tree.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "tests/tidy/rules.h"

namespace levin::tidy {
namespace {

TEST(Tidy, TreeObeysItsRules) {
  const SourceTree tree = read_tree(LEVIN_SOURCE_DIR);
  const auto list = std::find_if(tree.files.begin(), tree.files.end(), [](const File& file) {
    return file.path == "tests/tidy/allowed.txt";
  });
  ASSERT_NE(list, tree.files.end());
  Findings findings;
  const std::vector<Allowance> allowances = parse_allowances(list->text, findings);
  const Findings rest = apply_allowances(check_all(tree), allowances);
  findings.insert(findings.end(), rest.begin(), rest.end());

  std::ostringstream report;
  for (const Finding& finding : findings) {
    report << finding.path << ':' << finding.line << ": [" << finding.rule << "] "
           << finding.message << '\n';
  }
  EXPECT_TRUE(findings.empty()) << report.str();
}

// Guards against a scan that silently sees nothing.
TEST(Tidy, TreeIsSeen) {
  const SourceTree tree = read_tree(LEVIN_SOURCE_DIR);
  EXPECT_TRUE(tree.paths.contains("base/result.h"));
  EXPECT_TRUE(tree.paths.contains("tests/tidy/tidy_test.cpp"));
  EXPECT_TRUE(tree.folders.contains("tests/tidy"));
  for (const std::string& path : tree.paths) EXPECT_FALSE(path.starts_with("build/")) << path;
}

}  // namespace
}  // namespace levin::tidy
