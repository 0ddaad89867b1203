// levin.json is read strictly: what is unknown or of the wrong type is named.
#include "agent/model_card.h"

#include <gtest/gtest.h>

namespace levin::agent {
namespace {

std::string refusal(const std::string& text) {
  const auto card = parse_model_card(text, "m/levin.json");
  EXPECT_FALSE(card) << text;
  return card ? "" : card.error().message();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ModelCard, HoldsWhatTheFileSays) {
  const auto card = parse_model_card(
      R"({"name": "n", "profile": "mini", "notes": "x", "license": "y", "trained": "z",
          "sampling": {"temperature": 0, "top_p": 0.5, "retry_temperature": 0.9, "retries": 5,
                       "max_tokens": 2400}})",
      "levin.json");
  ASSERT_TRUE(card) << card.error().message();
  EXPECT_EQ(card->name, "n");
  EXPECT_EQ(card->profile, "mini");
  EXPECT_EQ(card->temperature, 0);
  EXPECT_EQ(card->top_p, 0.5);
  EXPECT_EQ(card->retries, 5);
  EXPECT_EQ(card->max_tokens, 2400);
}

TEST(ModelCard, AnEmptyOneIsTheDefaults) {
  const auto card = parse_model_card("{}", "levin.json");
  ASSERT_TRUE(card);
  EXPECT_EQ(card->profile, "core");
  EXPECT_EQ(card->temperature, 1.0);
  EXPECT_EQ(card->top_p, 0.95);
}

TEST(ModelCard, AFolderWithoutOneHasTheDefaults) {
  const auto card = load_model_card("/absent/folder");
  ASSERT_TRUE(card) << card.error().message();
  EXPECT_EQ(card->profile, "core");
}

TEST(ModelCard, NamesAnUnknownKeyAndThoseThatAreKnown) {
  const std::string outer = refusal(R"({"colour": 1})");
  EXPECT_TRUE(has(outer, "m/levin.json: unknown key 'colour'")) << outer;
  EXPECT_TRUE(has(outer, "profile")) << outer;
  const std::string inner = refusal(R"({"sampling": {"heat": 1}})");
  EXPECT_TRUE(has(inner, "sampling: unknown key 'heat'")) << inner;
}

TEST(ModelCard, NamesAWrongValueAndWhatWasExpected) {
  for (const char* sampling :
       {R"({"temperature": "hot"})", R"({"temperature": -1})", R"({"top_p": 1.1})",
        R"({"retries": 1.5})", R"({"max_tokens": 0})", R"({"max_tokens": null})"}) {
    const std::string text = refusal(std::string("{\"sampling\": ") + sampling + "}");
    EXPECT_TRUE(has(text, "expected a ")) << text;
  }
  EXPECT_TRUE(has(refusal(R"({"profile": 3})"), "'profile' is 3, expected a text"));
  EXPECT_TRUE(has(refusal(R"({"sampling": []})"), "expected an object"));
}

TEST(ModelCard, RefusesWhatIsNoObject) {
  for (const char* text : {"", "[]", "{", "7"}) {
    EXPECT_TRUE(has(refusal(text), "m/levin.json: expected a JSON object"));
  }
}

// Printing or copying JSON recurses: a file of half a million lists must not end the stack.
TEST(ModelCard, DeepValuesAreRefusedInBrief) {
  const std::string deep = std::string(400'000, '[') + std::string(400'000, ']');
  EXPECT_TRUE(has(refusal("{\"name\": " + deep + "}"), "'name' is a list of 1, expected a text"));
  EXPECT_TRUE(has(refusal("{\"sampling\": " + deep + "}"), "'sampling' is a list of 1"));
  EXPECT_TRUE(has(refusal("{\"sampling\": {\"top_p\": " + deep + "}}"), "'top_p' is a list of 1"));
}

}  // namespace
}  // namespace levin::agent
