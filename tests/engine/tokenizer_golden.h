// Runs the golden cases of one tokenizer: encode, decode, and the stream decoder.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "engine/tokenizer.h"

namespace levin::testing {

inline std::string golden_path(const std::string& name) {
  return std::string(LEVIN_SOURCE_DIR) + "/tests/golden/tokenizer/" + name;
}

// `expected_path` is a file of {"cases": [{text, ids, decoded?}]}.
inline void expect_golden_cases(const engine::Tokenizer& tokenizer,
                                const std::string& expected_path) {
  std::ifstream file(expected_path);
  ASSERT_TRUE(file) << expected_path;
  const nlohmann::json cases = nlohmann::json::parse(file).at("cases");
  ASSERT_EQ(cases.size(), 215u);
  for (const nlohmann::json& one : cases) {
    const auto text = one.at("text").get<std::string>();
    const auto ids = one.at("ids").get<std::vector<engine::TokenId>>();
    SCOPED_TRACE(one.dump(-1, ' ', true));
    EXPECT_EQ(tokenizer.encode(text, engine::SpecialTokens::kRecognise), ids);
    EXPECT_EQ(tokenizer.decode(ids), one.value("decoded", text));
    engine::StreamDecoder stream(tokenizer);
    std::string streamed;
    for (const engine::TokenId id : ids) {
      const std::string part = stream.push(id);
      EXPECT_TRUE(utf8_is_valid(part));
      streamed += part;
    }
    EXPECT_EQ(streamed + stream.finish(), one.value("decoded", text));
  }
}

}  // namespace levin::testing
