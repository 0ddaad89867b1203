// The shipped specifications against apps: different good ones pass, and each broken one fails at the
// check that is made for its fault. A broken app is a good one with a few texts replaced
// (apps/KIND/broken.json).
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
      const WebReport report = check(spec(kind), entry.path().string());
      EXPECT_TRUE(report.passed()) << to_text(report);
      ++count;
    }
    EXPECT_GE(count, least);
  }

  // Only the check that is made for the fault is run: alone it has to find it.
  void broken_ones_fail(const std::string& kind, size_t least) {
    const json rows = json::parse(text_of(apps(kind) / "broken.json"));
    EXPECT_GE(rows.size(), least);
    for (const json& row : rows) {
      std::string text = text_of(apps(kind) / row["base"].get<std::string>());
      for (const json& change : row["replace"]) {
        const std::string from = change[0];
        const size_t at = text.find(from);
        ASSERT_NE(at, std::string::npos) << row["name"] << ": " << from;
        text.replace(at, from.size(), change[1].get<std::string>());
      }
      put("index.html", text);
      WebSpec only = spec(kind);
      std::erase_if(only.checks, [&](const WebCheck& each) { return each.name != row["fails"]; });
      ASSERT_EQ(only.checks.size(), 1u) << row["name"];
      const WebReport report = check(only);
      ASSERT_EQ(report.outcomes.size(), 1u);
      EXPECT_FALSE(report.outcomes[0].passed) << kind << ": " << row["name"] << " was not caught";
      EXPECT_NE(report.outcomes[0].message.find(row["says"].get<std::string>()), std::string::npos)
          << kind << ": " << row["name"] << ": " << report.outcomes[0].message;
    }
  }
};

TEST_F(WebApps, GoodTypingTestsPass) {
  NEEDS_BROWSER();
  good_ones_pass("typing", 3);
}

TEST_F(WebApps, GoodMazesPass) {
  NEEDS_BROWSER();
  good_ones_pass("maze", 4);
}

TEST_F(WebApps, OtherGoodAppsPass) {
  NEEDS_BROWSER();
  for (const char* kind : {"todo", "calculator", "form", "particles"}) good_ones_pass(kind, 1);
}

TEST_F(WebApps, BrokenTypingTestsFailAtTheRightCheck) {
  NEEDS_BROWSER();
  broken_ones_fail("typing", 12);
}

TEST_F(WebApps, BrokenMazesFailAtTheRightCheck) {
  NEEDS_BROWSER();
  broken_ones_fail("maze", 12);
}

}  // namespace
}  // namespace levin::tools
