// The matrix of tests/scenarios/edits: every level of the ladder with near misses around it. What
// must be refused leaves the file as it is.
#include <nlohmann/json.hpp>

#include "base/file_io.h"
#include "tests/tools/workspace_fixture.h"

namespace levin::tools {
namespace {

class EditMatrix : public ToolTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(EditMatrix, AllCases) {
  const std::string name = std::string(LEVIN_SOURCE_DIR "/tests/scenarios/edits/") + GetParam();
  const Result<std::string> text = read_file(name);
  ASSERT_TRUE(text);
  const nlohmann::json data = nlohmann::json::parse(*text);
  const std::string path = data["path"];
  int wrong = 0;
  int wrongly_applied = 0;
  for (const nlohmann::json& one : data["cases"]) {
    SCOPED_TRACE(one["name"].get<std::string>());
    const std::string before = one["file"];
    workspace_.emplace(*Workspace::open(root_));
    put(path, before);
    const ToolResult result =
        call("edit", nlohmann::json{{"path", path}, {"edits", one["edits"]}}.dump());
    const std::string after = get(path);
    const std::string expected = one.value("after", before);
    EXPECT_EQ(after, expected) << result.text;
    if (after != expected) ++(after == before ? wrong : wrongly_applied);
    if (one.contains("error")) {
      EXPECT_TRUE(result.text.starts_with(one["error"].get<std::string>() + ' ')) << result.text;
    } else {
      EXPECT_FALSE(result.failed) << result.text;
    }
    if (one.contains("shows")) {
      EXPECT_NE(result.text.find(one["shows"].get<std::string>()), std::string::npos)
          << result.text;
    }
    if (one.contains("level")) {
      EXPECT_NE(result.text.find("matched " + one["level"].get<std::string>()), std::string::npos)
          << result.text;
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(wrongly_applied, 0);
  RecordProperty("cases", static_cast<int>(data["cases"].size()));
}

INSTANTIATE_TEST_SUITE_P(Languages, EditMatrix,
                         ::testing::Values("cpp.json", "python.json", "javascript.json", "go.json",
                                           "html.json"));

}  // namespace
}  // namespace levin::tools
