#include "engine/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/utf8.h"
#include "tests/engine/tokenizer_golden.h"
#include "tests/support/m1_tokenizer.h"

namespace levin::engine {
namespace {

using levin::testing::golden_path;
using nlohmann::json;

constexpr auto kRecognise = SpecialTokens::kRecognise;
constexpr auto kAsText = SpecialTokens::kAsText;

json mini_json(const std::string& name) {
  std::ifstream file(golden_path(name + "/tokenizer.json"));
  return json::parse(file);
}

Tokenizer make(const json& file) {
  Result<Tokenizer> tokenizer = Tokenizer::from_json(file.dump());
  if (!tokenizer) {
    ADD_FAILURE() << tokenizer.error().message();
    std::abort();
  }
  return *std::move(tokenizer);
}

class GoldenTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenTokenizer, EveryCase) {
  const Result<Tokenizer> tokenizer =
      Tokenizer::load(golden_path(std::string(GetParam()) + "/tokenizer.json"));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  testing::expect_golden_cases(*tokenizer, golden_path(std::string(GetParam()) + "/expected.json"));
}

INSTANTIATE_TEST_SUITE_P(Mini, GoldenTokenizer,
                         ::testing::Values("mini_gpt2", "mini_o200k", "mini_qwen_nfc",
                                           "tiny320_o200k"));

TEST(TokenizerM1, ReconstructedVocabularyGivesEveryGoldenCase) {
  const Result<Tokenizer> tokenizer = Tokenizer::from_json(testing::reconstructed_m1_json());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  EXPECT_EQ(tokenizer->vocab_size(), 200035);
  EXPECT_EQ(tokenizer->special_token("<end_of_sentence>"), 200020);
  testing::expect_golden_cases(*tokenizer, golden_path("minimax_m1_reconstructed.json"));
}

TEST(TokenizerSpecial, AreLettersInUntrustedTextWhileOtherAddedTokensRemain) {
  const Tokenizer tokenizer = make(mini_json("mini_o200k"));
  const std::string text = "<end_of_sentence><think>";
  EXPECT_EQ(tokenizer.encode(text, kRecognise), (std::vector<TokenId>{2042, 2044}));
  const std::vector<TokenId> ids = tokenizer.encode(text, kAsText);
  EXPECT_GT(ids.size(), 3u);
  EXPECT_EQ(ids.back(), 2044);
  for (const TokenId id : ids) EXPECT_FALSE(tokenizer.is_special(id));
  EXPECT_EQ(tokenizer.decode(ids), text);
  EXPECT_TRUE(tokenizer.is_special(2042));
  EXPECT_FALSE(tokenizer.is_special(2044));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_FALSE(tokenizer.is_special(1 << 30));
  EXPECT_EQ(tokenizer.special_token("<think>"), std::nullopt);
}

TEST(TokenizerAdded, TheLeftmostThenTheLongestWins) {
  json file = mini_json("mini_o200k");
  const auto add = [&file](int id, const char* content) {
    file["added_tokens"].push_back({{"id", id}, {"content", content}, {"special", false}});
    file["added_tokens"].back()["normalized"] = false;
  };
  add(2048, "abc");
  add(2049, "abcdef");
  add(2050, "bcdefgh");
  const Tokenizer tokenizer = make(file);
  EXPECT_EQ(tokenizer.encode("abcdef", kAsText), (std::vector<TokenId>{2049}));
  EXPECT_EQ(tokenizer.encode("abcdefgh", kAsText).front(), 2049);
  EXPECT_EQ(tokenizer.encode("abcbcdefgh", kAsText), (std::vector<TokenId>{2048, 2050}));
  EXPECT_EQ(tokenizer.encode("abcde", kAsText).front(), 2048);
}

TEST(TokenizerAdded, NormalisedOnesAreLookedForAfterNormalising) {
  json file = mini_json("mini_qwen_nfc");
  const json entry = {{"content", "caf\u00e9"}, {"special", false}};
  for (const bool normalised : {true, false}) {
    json added = entry;
    added["id"] = 1024;
    added["normalized"] = normalised;
    json copy = file;
    copy["added_tokens"].push_back(added);
    const std::vector<TokenId> ids = make(copy).encode("cafe\u0301", kAsText);
    EXPECT_EQ(ids == std::vector<TokenId>{1024}, normalised);
  }
}

TEST(TokenizerBytes, EveryByteHasATokenAndUnknownIdsAreEmpty) {
  const Tokenizer tokenizer = make(mini_json("tiny320_o200k"));
  EXPECT_EQ(tokenizer.vocab_size(), 320);
  EXPECT_EQ(tokenizer.token_bytes(-1), "");
  EXPECT_EQ(tokenizer.token_bytes(320), "");
  EXPECT_EQ(tokenizer.token_bytes(1 << 30), "");
  EXPECT_EQ(tokenizer.token_bytes(314), "<end_of_sentence>");
  EXPECT_EQ(tokenizer.decode({0, -5, 999999, 0}), "!!");
}

TEST(TokenizerBytes, BrokenUtf8IsReplacedBeforeEncoding) {
  const Tokenizer tokenizer = make(mini_json("mini_o200k"));
  std::string text;
  for (int byte = 0; byte < 256; ++byte) text.push_back(static_cast<char>(byte));
  for (const std::string& bytes : {text, std::string("a\xE2\x82"), std::string("\xF0\x9F\x98z")}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(bytes, kAsText)), utf8_sanitize(bytes));
  }
}

TEST(TokenizerOptions, PrefixSpaceIsAddedBeforeEachStretchOfText) {
  json file = mini_json("mini_gpt2");
  const Tokenizer plain = make(file);
  file["pre_tokenizer"]["add_prefix_space"] = true;
  const Tokenizer spaced = make(file);
  EXPECT_EQ(spaced.encode("the cat", kAsText), plain.encode(" the cat", kAsText));
  EXPECT_EQ(spaced.encode(" the", kAsText), plain.encode(" the", kAsText));
  EXPECT_EQ(spaced.encode("a<think>b", kAsText), plain.encode(" a<think> b", kAsText));
  EXPECT_TRUE(spaced.encode("", kAsText).empty());
}

TEST(TokenizerOptions, RemovedWithInvertDropsWhatThePatternDoesNotMatch) {
  json file = mini_json("mini_o200k");
  json& split = file["pre_tokenizer"]["pretokenizers"][0];
  split["pattern"]["Regex"] = "[a-z]+";
  EXPECT_EQ(make(file).decode(make(file).encode("1ab2cd3", kAsText)), "1ab2cd3");
  split["behavior"] = "Removed";
  split["invert"] = true;
  EXPECT_EQ(make(file).decode(make(file).encode("1ab2cd3", kAsText)), "abcd");
}

TEST(TokenizerOptions, EmptyMatchesCutAndLoseNothing) {
  json file = mini_json("mini_o200k");
  file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "x*";
  const Tokenizer tokenizer = make(file);
  for (const char* text : {"the theory", "xxaxx", "\u00e9x\u00e9", "x", "a"}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, kAsText)), text);
  }
}

TEST(TokenizerOptions, MongolianVowelSeparatorIsNoBlank) {
  // U+180E is a format character since Unicode 6.3, so it joins the run of other characters.
  json file = mini_json("mini_o200k");
  file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\s+";
  file["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed";
  file["pre_tokenizer"]["pretokenizers"][0]["invert"] = true;
  const Tokenizer tokenizer = make(file);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a \u180e\u3000\u0085\u00a0z", kAsText)),
            " \u3000\u0085\u00a0");
}

// ---- Long and hostile text ----

std::string repeated(std::string_view unit, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  return text;
}

class HostileText : public ::testing::TestWithParam<const char*> {};

TEST_P(HostileText, AMegabyteOfItIsEncodedSoonAndWhole) {
  const std::string text = repeated(GetParam(), 1 << 20);
  for (const char* name : {"mini_gpt2", "mini_o200k", "mini_qwen_nfc"}) {
    const Tokenizer tokenizer = make(mini_json(name));
    const auto start = std::chrono::steady_clock::now();
    const std::vector<TokenId> ids = tokenizer.encode(text, kAsText);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    // Quadratic work on a megabyte takes many minutes; the bound leaves room for sanitizers.
    EXPECT_LT(seconds.count(), 30.0) << name;
    if (std::string(name) != "mini_qwen_nfc") {
      EXPECT_EQ(tokenizer.decode(ids), text) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Runs, HostileText,
                         ::testing::Values(" ", "\n", "\t \r\n", "a", "A", "aA", "9", "/", "\u00e9",
                                           "\u4e2d", "\u0301", "\u0301\u0316",
                                           "e\u0301\u0316\u0301", "'s", "<", "<tool_calls",
                                           "<end_of_sentence>", "\u180e", "\u200d",
                                           "\xF0\x9F\x98\x80", " a", "\u00a0x",
                                           "\u1100\u1161\u11a8"));

TEST(TokenizerHostile, ARunawayPatternEndsAndLosesNothing) {
  json file = mini_json("mini_o200k");
  for (const char* pattern : {"(a+)+b", "(?:a|a)*b", "(?=(a+))\\1*b", "(a(?1)?b|a)*c"}) {
    file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern;
    const Tokenizer tokenizer = make(file);
    const std::string text = repeated("a", 50000);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, kAsText)), text) << pattern;
  }
}

TEST(TokenizerHostile, LongAndShortPiecesAgree) {
  // One piece of over 64 bytes goes through the heap; ignoring that, its tokens must be those that
  // the reference rule gives: join the lowest rank, leftmost first.
  const json file = mini_json("mini_gpt2");
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  for (const json& merge : file["model"]["merges"]) {
    const auto line = merge.get<std::string>();
    ranks[{line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1)}] = ranks.size();
  }
  const Tokenizer tokenizer = make(file);
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> parts;
    std::string text;
    const size_t size = 1 + random() % 150;
    for (size_t index = 0; index < size; ++index) {
      const char letter = "etaoinshr"[random() % 9];
      text.push_back(letter);
      parts.emplace_back(1, letter);
    }
    for (;;) {
      size_t best = ranks.size();
      size_t place = 0;
      for (size_t index = 0; index + 1 < parts.size(); ++index) {
        const auto found = ranks.find({parts[index], parts[index + 1]});
        if (found != ranks.end() && found->second < best) {
          best = found->second;
          place = index;
        }
      }
      if (best == ranks.size()) break;
      parts[place] += parts[place + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
    std::vector<TokenId> expected;
    for (const std::string& part : parts) {
      expected.push_back(file["model"]["vocab"][part].get<TokenId>());
    }
    EXPECT_EQ(tokenizer.encode(text, kAsText), expected) << text;
  }
}

TEST(TokenizerThreads, ManyEncodeAtOnce) {
  const Tokenizer tokenizer = make(mini_json("mini_o200k"));
  const std::string text = repeated("def f(x):\n    return x + 1  # caf\u00e9\n", 20000);
  const std::vector<TokenId> expected = tokenizer.encode(text, kAsText);
  std::vector<std::thread> threads;
  std::vector<int> same(4);
  for (int& result : same) {
    threads.emplace_back([&] { result = tokenizer.encode(text, kAsText) == expected; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, std::vector<int>(4, 1));
}

}  // namespace
}  // namespace levin::engine
