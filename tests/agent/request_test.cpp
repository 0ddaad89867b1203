// The text of a request and the template of the first one.
#include "agent/request.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file_io.h"
#include "base/utf8.h"

namespace levin::agent {
namespace {

namespace fs = std::filesystem;

class RequestTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "levin-request-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    fs::create_directories(root_ / "project");
    profile_.first_user =
        *read_file(std::string(LEVIN_SOURCE_DIR) + "/prompts/core/first_user.txt");
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string first(const std::string& task) const {
    const auto text = first_user_text(profile_, (root_ / "project").string(), task);
    EXPECT_TRUE(text) << text.error().message();
    return text ? *text : "";
  }

  fs::path root_;
  Profile profile_;
};

Result<std::string> from(const std::string& task, const std::string& input = "") {
  std::istringstream stream(input);
  return request_text(task, stream);
}

TEST(RequestText, IsTheTaskOrTheInputWithoutItsLastLineBreaks) {
  EXPECT_EQ(*from("do it\n"), "do it");
  EXPECT_EQ(*from("-", " two\nlines\r\n\n"), " two\nlines");
}

TEST(RequestText, RefusesWhatIsNoTask) {
  for (const char* task : {"", " \t\n"}) {
    ASSERT_FALSE(from(task));
    EXPECT_EQ(from(task).error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_NE(from("ab\xFF").error().message().find("byte 2"), std::string::npos);
  EXPECT_FALSE(from("-", std::string((4 << 20) + 1, 'x')));
  EXPECT_TRUE(from("-", std::string(4 << 20, 'x')));
}

TEST(FillTemplate, ReplacesNamesOnceAndRefusesUnknownOnes) {
  EXPECT_EQ(*fill_template("{{a}}-{{b}}{{a}}", {{"a", "1"}, {"b", "{{a}}"}}), "1-{{a}}1");
  EXPECT_EQ(*fill_template("no { names }", {}), "no { names }");
  const auto unknown = fill_template("x {{nobody}}", {{"a", "1"}});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("'nobody'"), std::string::npos);
  EXPECT_FALSE(fill_template("{{a", {{"a", "1"}}));
}

TEST_F(RequestTest, AProfileWithoutATemplateGetsTheTaskAlone) {
  profile_.first_user.clear();
  EXPECT_EQ(first("Fix {{it}}."), "Fix {{it}}.");
}

TEST_F(RequestTest, TheCoreTemplateNamesTheRepository) {
  EXPECT_EQ(first("Fix it."), "Repository: project\n\nTask:\nFix it.");
}

TEST_F(RequestTest, TheCoreTemplateHoldsTheInstructionsOfTheRepository) {
  std::ofstream(root_ / "project/AGENTS.md") << "Use {{tabs}}.\n";
  EXPECT_EQ(first("Fix it."),
            "Repository: project\n\nInstructions of this repository (AGENTS.md):\n"
            "Use {{tabs}}.\n\n\nTask:\nFix it.");
}

TEST_F(RequestTest, LongInstructionsAreCutAtACharacter) {
  std::string text = "x";
  while (text.size() < (16 << 10) + 10) text += "é";
  std::ofstream(root_ / "project/AGENTS.md") << text;
  const std::string all = first("Fix it.");
  EXPECT_TRUE(utf8_is_valid(all));
  EXPECT_EQ(all.find("\xEF\xBF\xBD"), std::string::npos);
  EXPECT_NE(all.find("[AGENTS.md goes on; read it for the rest]"), std::string::npos);
  EXPECT_LT(all.size(), size_t{17} << 10);
}

}  // namespace
}  // namespace levin::agent
