#include "tools/test_command.h"

#include "tests/tools/workspace_fixture.h"

namespace levin::tools {
namespace {

class TestCommand : public ToolTest {};

TEST_F(TestCommand, IsFoundFromTheFilesAtTheRoot) {
  EXPECT_EQ(find_test_command(*workspace_), "");
  put("tests/test_a.py", "import unittest\n");
  EXPECT_EQ(find_test_command(*workspace_), "python3 -m unittest discover -s tests");
  put("pyproject.toml", "[tool.pytest.ini_options]\n");
  EXPECT_EQ(find_test_command(*workspace_), "python3 -m pytest -q");
  put("CMakeLists.txt", "project(x)\n");
  EXPECT_EQ(find_test_command(*workspace_), "ctest --test-dir build --output-on-failure");
  put("CMakePresets.json", R"({"testPresets":[{"name":"h","hidden":true},{"name":"release"}]})");
  EXPECT_EQ(find_test_command(*workspace_), "ctest --preset release");
  put("go.mod", "module x\n");
  EXPECT_EQ(find_test_command(*workspace_), "go test ./...");
  put("Cargo.toml", "[package]\n");
  EXPECT_EQ(find_test_command(*workspace_), "cargo test --quiet");
  put("package.json", R"({"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}})");
  EXPECT_EQ(find_test_command(*workspace_), "cargo test --quiet");
  put("package.json", R"({"scripts":{"test":"jest"}})");
  EXPECT_EQ(find_test_command(*workspace_), "npm test --silent");
  put("Makefile", "all:\n\ntest: all\n\ttrue\n");
  EXPECT_EQ(find_test_command(*workspace_), "make test");
}

TEST_F(TestCommand, FailuresComeFirstThenCounts) {
  EXPECT_EQ(test_summary("start\nRan 3 tests in 0.1s\nFAIL: test_a (x.A)\nnoise\n"),
            "FAIL: test_a (x.A)\nRan 3 tests in 0.1s");
  EXPECT_EQ(test_summary("nothing here\n"), "");
}

}  // namespace
}  // namespace levin::tools
