// The shipped specifications against apps: different good ones pass, and each broken one, checked as a
// user would, fails first at the check that is made for its fault. A broken app is a good one with a
// few texts replaced (apps/KIND/broken.json).
#include <map>

#include "tests/tools/web/web_fixture.h"

namespace levin::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class WebApps : public WebTest {
 protected:
  static fs::path apps(const std::string& kind) {
    return fs::path(LEVIN_SOURCE_DIR "/tests/tools/web/apps") / kind;
  }
  static WebSpec spec(const std::string& kind) {
    const std::string file = LEVIN_SOURCE_DIR "/prompts/web/specs/" + kind + ".json";
    Result<WebSpec> read = parse_web_spec(text_of(file), file);
    EXPECT_TRUE(read) << read.error().message();
    return read ? *std::move(read) : WebSpec{};
  }

  void good_ones_pass(const std::string& kind, int least) {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(apps(kind))) {
      if (entry.path().extension() != ".html") continue;
      const WebReport report = check(spec(kind), entry.path().string(), Pictures::kNone);
      EXPECT_TRUE(report.passed()) << to_text(report);
      ++count;
    }
    EXPECT_GE(count, least);
  }

  // One that is broken by one fault: "fails" is the check made for it, and the first that fails;
  // "also" are those that can't pass any more, and nothing else fails.
  void breaks_as_told(const WebSpec& whole, const std::string& kind, const json& row) {
    std::string text = text_of(apps(kind) / row["base"].get<std::string>());
    for (const json& change : row["replace"]) {
      const std::string from = change[0];
      const size_t at = text.find(from);
      ASSERT_NE(at, std::string::npos) << row["name"] << ": " << from;
      text.replace(at, from.size(), change[1].get<std::string>());
    }
    put("index.html", text);
    std::vector<std::string> expected = {row["fails"].get<std::string>()};
    for (const json& also : row.value("also", json::array())) expected.push_back(also);
    const WebReport report = check(whole, "", Pictures::kNone);
    std::vector<std::string> failed;
    std::string first;
    for (const WebOutcome& outcome : report.outcomes) {
      if (outcome.passed) continue;
      if (failed.empty()) first = outcome.message;
      failed.push_back(outcome.name);
    }
    EXPECT_EQ(failed, expected) << kind << ": " << row["name"] << ":\n" << to_text(report);
    const std::string says = row["says"];
    ASSERT_FALSE(says.empty()) << row["name"];
    EXPECT_NE(first.find(says), std::string::npos) << kind << ": " << row["name"] << ": " << first;
  }

  // The rows `part` of `parts`, so that several tests share the work. `least`: of all parts.
  void broken_ones_fail(const std::string& kind, size_t least, size_t part = 0, size_t parts = 1) {
    const json rows = json::parse(text_of(apps(kind) / "broken.json"));
    EXPECT_GE(rows.size(), least);
    const WebSpec whole = spec(kind);
    for (size_t i = part; i < rows.size(); i += parts) breaks_as_told(whole, kind, rows[i]);
  }

  // Everything of the report but the real times.
  std::map<std::string, std::string> report_of(const std::string& kind, const std::string& app) {
    std::filesystem::remove_all(report_folder());
    EXPECT_TRUE(check(spec(kind), (apps(kind) / app).string()).passed());
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(report_folder())) {
      if (entry.path().filename() != "trace.jsonl") files[entry.path().filename()] = text_of(entry.path());
    }
    return files;
  }
};

TEST_F(WebApps, GoodTypingTestsPass) {
  NEEDS_BROWSER();
  good_ones_pass("typing", 3);
}

// Lines on a canvas, tiles on a canvas, boxes, a table, SVG; one tells its walls, one needs no button.
TEST_F(WebApps, GoodMazesPass) {
  NEEDS_BROWSER();
  good_ones_pass("maze", 6);
}

TEST_F(WebApps, OtherGoodAppsPass) {
  NEEDS_BROWSER();
  for (const char* kind : {"todo", "calculator", "form", "particles"}) good_ones_pass(kind, 3);
}

TEST_F(WebApps, BrokenTypingTestsFailAtTheRightCheck) {
  NEEDS_BROWSER();
  broken_ones_fail("typing", 12, 0, 2);
}

TEST_F(WebApps, OtherBrokenTypingTestsFailAtTheRightCheck) {
  NEEDS_BROWSER();
  broken_ones_fail("typing", 12, 1, 2);
}

TEST_F(WebApps, BrokenMazesFailAtTheRightCheck) {
  NEEDS_BROWSER();
  broken_ones_fail("maze", 12, 0, 2);
}

TEST_F(WebApps, OtherBrokenMazesFailAtTheRightCheck) {
  NEEDS_BROWSER();
  broken_ones_fail("maze", 12, 1, 2);
}

TEST_F(WebApps, BrokenListsAndFormsFailAtTheRightCheck) {
  NEEDS_BROWSER();
  broken_ones_fail("todo", 6);
  broken_ones_fail("form", 6);
}

TEST_F(WebApps, BrokenCalculatorsAndParticlesFailAtTheRightCheck) {
  NEEDS_BROWSER();
  broken_ones_fail("calculator", 6);
  broken_ones_fail("particles", 6);
}

TEST_F(WebApps, TheSameAppGivesTheSameReportTwice) {
  NEEDS_BROWSER();
  for (const auto& [kind, app] : {std::pair{"typing", "textarea.html"}, std::pair{"maze", "strokes.html"}}) {
    const auto first = report_of(kind, app);
    EXPECT_GE(first.size(), 11u);
    EXPECT_TRUE(first.contains("report.json"));
    const auto second = report_of(kind, app);
    for (const auto& [name, content] : first) {
      const auto found = second.find(name);
      ASSERT_NE(found, second.end()) << kind << ": " << name;
      EXPECT_TRUE(found->second == content) << kind << ": " << name << " differs";
    }
    EXPECT_EQ(first.size(), second.size());
  }
}

}  // namespace
}  // namespace levin::tools
