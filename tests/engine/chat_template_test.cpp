#include "engine/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/json_text.h"

namespace levin::engine {
namespace {

using Json = nlohmann::ordered_json;

Json golden_cases(const std::string& name) {
  std::ifstream file(std::string(LEVIN_SOURCE_DIR) + "/tests/golden/chat_template/" + name);
  return Json::parse(file).at("cases");
}

std::string rendered(ChatTemplate which, const Json& conversation) {
  const Result<std::string> text = render_conversation(which, conversation);
  return text ? *text : "error: " + text.error().message();
}

void expect_goldens(ChatTemplate which, const std::string& file, size_t count) {
  const Json cases = golden_cases(file);
  EXPECT_EQ(cases.size(), count);
  for (const Json& one : cases) {
    EXPECT_EQ(rendered(which, one), one.at("rendered").get<std::string>()) << one.at("name");
  }
}

TEST(ChatTemplateGolden, ShippedTemplate) {
  expect_goldens(ChatTemplate::kM1, "minimax_m1_hf.json", 17);
}

TEST(ChatTemplateGolden, VllmTemplate) {
  expect_goldens(ChatTemplate::kVllm, "minimax_m1_vllm.json", 6);
}

TEST(ChatTemplateGolden, LevinRendersWhatTheShippedTemplateDoes) {
  expect_goldens(ChatTemplate::kLevin, "minimax_m1_hf.json", 17);
}

Json conversation_of(const char* messages) {
  return {{"messages", Json::parse(messages)}, {"add_generation_prompt", true}};
}

TEST(ChatTemplateStrings, LevinTakesThemAsOneTextPart) {
  const Json plain = conversation_of(
      R"([{"role": "system", "content": "S"}, {"role": "user", "content": "u"},
          {"role": "assistant", "content": "a"}])");
  const Json parts = conversation_of(
      R"([{"role": "system", "content": [{"type": "text", "text": "S"}]},
          {"role": "user", "content": [{"type": "text", "text": "u"}]},
          {"role": "assistant", "content": [{"type": "text", "text": "a"}]}])");
  EXPECT_EQ(rendered(ChatTemplate::kLevin, plain), rendered(ChatTemplate::kM1, parts));
}

TEST(ChatTemplateStrings, TheShippedTemplateDropsAnAssistantString) {
  const Json plain = conversation_of(R"([{"role": "assistant", "content": "lost"}])");
  EXPECT_EQ(rendered(ChatTemplate::kM1, plain),
            "<begin_of_document><beginning_of_sentence>ai name=assistant\n<end_of_sentence>\n"
            "<beginning_of_sentence>ai name=assistant\n");
}

void expect_refused(ChatTemplate which, const Json& conversation, const std::string& where) {
  const Result<std::string> text = render_conversation(which, conversation);
  ASSERT_FALSE(text) << conversation.dump() << " gave " << *text;
  EXPECT_EQ(text.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(text.error().message().find(where), std::string::npos) << text.error().message();
}

TEST(ChatTemplateErrors, WhatTheTemplatesRejectIsNamed) {
  for (const char* role : {"system", "user"}) {
    for (const char* content : {"\"text\"", "[]", "null", "7", "[{\"type\": \"text\"}]", "[\"a\"]",
                                "[{\"type\": \"text\", \"text\": 7}]"}) {
      const std::string messages = std::string(R"([{"role": "x"}, {"role": ")") + role +
                                   R"(", "content": )" + content + "}]";
      expect_refused(ChatTemplate::kM1, conversation_of(messages.c_str()), "messages[1]");
    }
  }
  for (const char* content : {"\"text\"", "null", R"([{"type": "text", "text": "no name"}])",
                              R"([{"type": "text", "name": "no text"}])"}) {
    const std::string messages = std::string(R"([{"role": "tool", "content": )") + content + "}]";
    expect_refused(ChatTemplate::kM1, conversation_of(messages.c_str()), "messages[0]");
    expect_refused(ChatTemplate::kLevin, conversation_of(messages.c_str()), "messages[0]");
  }
}

TEST(ChatTemplateErrors, WrongShapesAreNamed) {
  for (const ChatTemplate which : {ChatTemplate::kM1, ChatTemplate::kVllm, ChatTemplate::kLevin}) {
    for (const char* document : {"null", "[]", "{}", "{\"messages\": {}}"}) {
      expect_refused(which, Json::parse(document), "messages");
    }
    expect_refused(which, conversation_of("[7]"), "messages[0]");
    Json conversation = conversation_of(R"([{"role": "other"}])");
    conversation["tools"] = "bash";
    expect_refused(which, conversation, "tools");
    conversation["tools"] = nullptr;
    conversation["add_generation_prompt"] = 1;
    expect_refused(which, conversation, "add_generation_prompt");
  }
  expect_refused(ChatTemplate::kVllm, conversation_of("[]"), "messages");
  expect_refused(ChatTemplate::kVllm,
                 conversation_of(R"([{"role": "assistant", "tool_calls": [{"id": "c"}]}])"),
                 "messages[0].tool_calls");
}

TEST(ChatTemplateVllm, PointsThatTheGoldensLeaveOpen) {
  // An empty list of tools still makes a tools turn; a blank system message makes no system turn.
  Json conversation = conversation_of(R"([{"role": "system", "content": " \u00a0\u3000\n"}])");
  conversation["tools"] = Json::array();
  const std::string text = rendered(ChatTemplate::kVllm, conversation);
  EXPECT_EQ(text.find("ai_setting"), std::string::npos);
  EXPECT_NE(text.find("<tools>\n</tools>"), std::string::npos);
  // A tool part of another type shows its name; one without a name vanishes.
  const Json results = conversation_of(
      R"([{"role": "tool", "content": [{"type": "x", "name": "n", "text": "t"}, {"text": "u"},
                                       {"type": "text", "name": "m", "text": "v"}]}])");
  EXPECT_NE(rendered(ChatTemplate::kVllm, results)
                .find("tool name: n\ntool result: t\n\ntool result: v\n\n<end_of_sentence>"),
            std::string::npos);
}

TEST(JsonText, LooksLikePythons) {
  const auto text = [](const char* json) { return *json_text(Json::parse(json)); };
  EXPECT_EQ(text(R"({"b":[1,{"a":[]}],"a":{},"é":null})"),
            R"({"b": [1, {"a": []}], "a": {}, "é": null})");
  EXPECT_EQ(text(R"(["\"\\\/\b\f\n\r\t\u0001\u001f\u007f\u2028<>&'😀"])"),
            "[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xE2\x80\xA8<>&'\xF0\x9F\x98\x80\"]");
  EXPECT_EQ(
      text("[1.5, 1.0, -0.0, 0.1, 1e15, 1e16, 123456789012345680.0, 1e-4, 1e-5, 1e300, 5e-324]"),
      "[1.5, 1.0, -0.0, 0.1, 1000000000000000.0, 1e+16, 1.2345678901234568e+17, 0.0001, "
      "1e-05, 1e+300, 5e-324]");
  EXPECT_EQ(text("[-1, 18446744073709551615, true, false]"),
            "[-1, 18446744073709551615, true, false]");
}

TEST(JsonText, DeepNestingIsAnError) {
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  const Result<std::string> text = json_text(Json::parse(deep));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), ErrorCode::kLimit);
}

}  // namespace
}  // namespace levin::engine
