// Specifications: what is read, what is refused and in which words.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tools/web_spec.h"

namespace levin::tools {
namespace {

std::string problem(const std::string& text) {
  const Result<WebSpec> spec = parse_web_spec(text, "s.json");
  return spec ? "" : spec.error().message();
}

std::string with_expectation(const std::string& expectation) {
  return R"({"name":"n","checks":[{"name":"c","expect":[)" + expectation + "]}]}";
}

TEST(WebSpec, ReadsChecksWithTheirSteps) {
  const Result<WebSpec> spec = parse_web_spec(
      R"({"name":"n","checks":[{"name":"c","size":[360,640],"seed":7,"keep":true,
          "do":[{"click":{"role":"button","name":"go"}}],"expect":[{"count":"li","is":2}]}]})",
      "s.json");
  ASSERT_TRUE(spec) << spec.error().message();
  ASSERT_EQ(spec->checks.size(), 1u);
  EXPECT_EQ(spec->checks[0].width, 360);
  EXPECT_EQ(spec->checks[0].seed, 7);
  EXPECT_TRUE(spec->checks[0].keep);
  EXPECT_EQ(spec->checks[0].actions.size(), 1u);
}

TEST(WebSpec, NamesWhatIsWrong) {
  EXPECT_EQ(problem("[]"), "s.json: not a JSON object");
  EXPECT_EQ(problem(R"({"name":"n","checks":[]})"),
            "s.json: \"checks\" must be a list with at least one check");
  EXPECT_EQ(problem(R"({"name":"n","checks":[{"name":"c"}]})"),
            "s.json: check \"c\": it expects nothing");
  EXPECT_NE(problem(with_expectation(R"({"smells":true})")).find("there are text, count, js"),
            std::string::npos);
  EXPECT_NE(problem(with_expectation(R"({"count":"li","ist":2})")).find("can't read"),
            std::string::npos);
  EXPECT_NE(problem(with_expectation(R"({"count":"li","is":"2"})")).find("\"is\" must be a number"),
            std::string::npos);
  EXPECT_NE(problem(with_expectation(R"({"fits":1})")).find("\"fits\" must be true"),
            std::string::npos);
  EXPECT_NE(problem(R"({"name":"n","checks":[{"name":"c","size":[0,5],"expect":[{"fits":true}]}]})")
                .find("a size is"),
            std::string::npos);
}

TEST(WebSpec, EveryShippedOneCanBeRead) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(LEVIN_SOURCE_DIR "/prompts/web/specs")) {
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(problem(text), "") << entry.path();
    ++count;
  }
  EXPECT_GE(count, 1);
}

TEST(WebSpec, DerivedOneHoldsTheQuotedWords) {
  const WebSpec spec = derive_web_spec("A page titled \"Hello (you)\" with a button");
  bool found = false;
  for (const WebCheck& check : spec.checks) {
    if (check.name == "shows \"Hello (you)\"") {
      found = true;
      EXPECT_NE(check.expectations[0]["js"].get<std::string>().find("Hello \\\\(you\\\\)"),
                std::string::npos);
    }
  }
  EXPECT_TRUE(found);
}

bool has_check(const WebSpec& spec, const std::string& name) {
  return std::ranges::any_of(spec.checks, [&](const WebCheck& each) { return each.name == name; });
}

TEST(WebSpec, DerivedOneFollowsNounsAndVerbs) {
  const WebSpec spec = derive_web_spec("Make a stopwatch with two buttons and a lap table.");
  EXPECT_TRUE(has_check(spec, "has a button"));
  EXPECT_TRUE(has_check(spec, "has a table"));
  EXPECT_TRUE(has_check(spec, "is about what was asked for"));
  EXPECT_FALSE(has_check(spec, "has a canvas"));
  EXPECT_TRUE(has_check(spec, "controls react"));
  EXPECT_FALSE(has_check(derive_web_spec(""), "is about what was asked for"));
}

}  // namespace
}  // namespace levin::tools
