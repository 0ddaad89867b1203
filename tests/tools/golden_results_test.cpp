// Byte for byte against the texts the embedded model was trained on.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/tools/workspace_fixture.h"
#include "tools/closest.h"
#include "tools/command_result.h"
#include "tools/edit_apply.h"

namespace levin::tools {
namespace {

nlohmann::json cases() {
  std::ifstream file(LEVIN_SOURCE_DIR "/tests/golden/tool_results/cases.json");
  return nlohmann::json::parse(file);
}

class GoldenResults : public ToolTest {};

TEST_F(GoldenResults, FilesAreReadAndWrittenAsInTraining) {
  int count = 0;
  for (const nlohmann::json& one : cases()) {
    if (one["kind"] == "read") {
      put(one["path"], one["content"]);
      EXPECT_EQ(text("read", nlohmann::json{{"path", one["path"]}}.dump()), one["expected"]);
    } else if (one["kind"] == "write") {
      const nlohmann::json arguments{{"path", one["path"]}, {"content", one["content"]}};
      EXPECT_EQ(text("write", arguments.dump()), one["expected"]);
      EXPECT_EQ(get(one["path"]), one["content"]);
    } else {
      continue;
    }
    ++count;
  }
  EXPECT_GE(count, 20);
}

TEST_F(GoldenResults, EditsAsInTraining) {
  int count = 0;
  for (const nlohmann::json& one : cases()) {
    if (one["kind"] != "edit") continue;
    std::vector<Edit> edits;
    for (const nlohmann::json& edit : one["edits"]) edits.push_back({edit["old"], edit["new"]});
    const EditOutcome outcome =
        apply_edits(one["content"].get<std::string>(), edits, one["path"].get<std::string>());
    EXPECT_EQ(outcome.text, one["expected"]) << one.dump();
    EXPECT_EQ(outcome.after.has_value(), one["after"].is_string());
    if (outcome.after && one["after"].is_string()) {
      EXPECT_EQ(*outcome.after, one["after"]);
    }
    ++count;
  }
  EXPECT_GE(count, 150);
}

TEST_F(GoldenResults, CommandsAndMissingPathsAsInTraining) {
  for (const nlohmann::json& one : cases()) {
    if (one["kind"] == "bash") {
      sandbox::ExitReport report;
      report.exit_code = one["code"];
      report.output = one["output"];
      report.output_bytes = report.output.size();
      const std::string shown = shown_output(command_output(report), "");
      EXPECT_EQ(command_result(report, shown, 120).text, one["expected"]);
    } else if (one["kind"] == "no_path") {
      std::vector<std::string> files = one["files"];
      std::sort(files.begin(), files.end());
      EXPECT_EQ(no_path_text(one["path"].get<std::string>(), files), one["expected"]);
    }
  }
}

}  // namespace
}  // namespace levin::tools
