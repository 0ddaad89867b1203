#include "agent/script_file.h"

#include <gtest/gtest.h>

namespace levin::agent {
namespace {

std::string error_of(const std::string& content) {
  const auto replies = parse_script(content, "f.jsonl");
  EXPECT_FALSE(replies);
  if (replies) return "";
  EXPECT_EQ(replies.error().code(), ErrorCode::kInvalidArgument);
  return replies.error().message();
}

TEST(ScriptFile, ReadsRepliesAndSkipsBlankLines) {
  const auto replies = parse_script(
      "{\"text\": \"a\\nb\"}\n\n \r\n{\"text\": \"c<end_of_sentence>\", \"pace_ms\": 5}\r\n"
      "{\"finish\": \"length\", \"text\": \"d\"}",
      "f");
  ASSERT_TRUE(replies) << replies.error().message();
  ASSERT_EQ(replies->size(), 3U);
  EXPECT_EQ((*replies)[0].text, "a\nb");
  EXPECT_FALSE((*replies)[0].pace_ms);
  EXPECT_EQ((*replies)[1].text, "c");
  EXPECT_EQ((*replies)[1].pace_ms, 5);
  EXPECT_FALSE((*replies)[1].cut);
  EXPECT_TRUE((*replies)[2].cut);
}

TEST(ScriptFile, EmptyFileHasNoReplies) {
  EXPECT_TRUE(parse_script("", "f")->empty());
  EXPECT_TRUE(parse_script("\n\n", "f")->empty());
}

TEST(ScriptFile, OnlyTheLastEndMarkerIsRemoved) {
  const auto replies =
      parse_script(R"({"text": "a<end_of_sentence>b<end_of_sentence><end_of_sentence>"})", "f");
  ASSERT_TRUE(replies);
  EXPECT_EQ((*replies)[0].text, "a<end_of_sentence>b<end_of_sentence>");
}

TEST(ScriptFile, ErrorsNameFileLineExpectedAndFound) {
  const std::string good = "{\"text\": \"\"}\n";
  EXPECT_EQ(error_of(good + "\nhello\n"),
            "script f.jsonl line 3: expected a JSON object like {\"text\": \"...\"}, found hello");
  EXPECT_EQ(error_of("[1]"),
            "script f.jsonl line 1: expected a JSON object like {\"text\": \"...\"}, found [1]");
  EXPECT_EQ(error_of(good + "{}"), "script f.jsonl line 2: expected a \"text\", found {}");
  EXPECT_EQ(error_of(R"({"text": 5})"),
            "script f.jsonl line 1: expected a string as \"text\", found 5");
  EXPECT_EQ(error_of(R"({"text": "", "pace_ms": -1})"),
            "script f.jsonl line 1: expected 0 to 60000 as \"pace_ms\", found -1");
  EXPECT_EQ(error_of(R"({"text": "", "finish": "soon"})"),
            "script f.jsonl line 1: expected \"stop\" or \"length\" as \"finish\", found \"soon\"");
  EXPECT_EQ(error_of(R"({"txt": ""})"),
            "script f.jsonl line 1: expected the keys text, pace_ms and finish, found \"txt\"");
  EXPECT_EQ(error_of(R"({"text": "a<end_of_sentence>", "finish": "length"})"),
            "script f.jsonl line 1: expected no end marker in a reply that is cut, found "
            "<end_of_sentence>");
  EXPECT_NE(error_of("\xFF" + std::string(200, 'x')).find("\xEF\xBF\xBDxxx"), std::string::npos);
}

}  // namespace
}  // namespace levin::agent
