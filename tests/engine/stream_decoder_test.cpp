// StreamDecoder: whatever the split into tokens, what comes out is whole characters.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "engine/tokenizer.h"

namespace levin::engine {
namespace {

Tokenizer tiny() {
  Result<Tokenizer> tokenizer = Tokenizer::load(
      std::string(LEVIN_SOURCE_DIR) + "/tests/golden/tokenizer/tiny320_o200k/tokenizer.json");
  if (!tokenizer) std::abort();
  return *std::move(tokenizer);
}

// The token of each single byte; ids 0 to 255 are the bytes in another order.
std::vector<TokenId> byte_tokens(const Tokenizer& tokenizer) {
  std::vector<TokenId> tokens(256);
  for (TokenId id = 0; id < 256; ++id) {
    tokens[static_cast<unsigned char>(tokenizer.token_bytes(id)[0])] = id;
  }
  return tokens;
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  StreamDecoder stream(tokenizer);
  std::string text;
  for (const TokenId id : ids) {
    const std::string part = stream.push(id);
    EXPECT_TRUE(utf8_is_valid(part));
    text += part;
  }
  return text + stream.finish();
}

TEST(StreamDecoder, GivesACharacterWithItsLastByte) {
  const Tokenizer tokenizer = tiny();
  const std::vector<TokenId> token = byte_tokens(tokenizer);
  for (const std::string text : {"a", "\u00e9", "\u4e2d", "\xF0\x9F\x98\x80", "\u00e9\u4e2dz"}) {
    StreamDecoder stream(tokenizer);
    std::string pending;
    for (const char byte : text) {
      pending.push_back(byte);
      const std::string part = stream.push(token[static_cast<unsigned char>(byte)]);
      if (utf8_is_valid(pending)) {
        EXPECT_EQ(part, pending);
        pending.clear();
      } else {
        EXPECT_EQ(part, "");
      }
    }
    EXPECT_EQ(stream.finish(), "");
  }
}

TEST(StreamDecoder, ACutCharacterEndsAsOneReplacement) {
  const Tokenizer tokenizer = tiny();
  const std::vector<TokenId> token = byte_tokens(tokenizer);
  for (size_t size = 1; size <= 3; ++size) {
    StreamDecoder stream(tokenizer);
    const std::string character = "\xF0\x9F\x98\x80";
    for (size_t index = 0; index < size; ++index) {
      EXPECT_EQ(stream.push(token[static_cast<unsigned char>(character[index])]), "");
    }
    EXPECT_EQ(stream.finish(), "\uFFFD");
    EXPECT_EQ(stream.finish(), "");
    EXPECT_EQ(stream.push(token['a']), "a");
  }
}

TEST(StreamDecoder, EveryThreeByteSequenceOfLeadAndTailBytes) {
  // Enough bytes to meet each rule of UTF-8: overlong forms, surrogates, too large, stray tails.
  const std::string bytes = "a\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xE0\xE1\xED\xEF\xF0\xF1\xF4\xF5\xFF";
  const Tokenizer tokenizer = tiny();
  const std::vector<TokenId> token = byte_tokens(tokenizer);
  for (const char first : bytes) {
    for (const char second : bytes) {
      for (const char third : bytes) {
        for (const char fourth : bytes) {
          const std::string text = {first, second, third, fourth};
          std::vector<TokenId> ids;
          for (const char byte : text) ids.push_back(token[static_cast<unsigned char>(byte)]);
          ASSERT_EQ(streamed(tokenizer, ids), utf8_sanitize(text));
        }
      }
    }
  }
}

TEST(StreamDecoder, RandomTokensEqualTheWholeDecoding) {
  const Tokenizer tokenizer = tiny();
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::vector<TokenId> ids;
    for (size_t index = 0; index < 40; ++index) {
      ids.push_back(static_cast<TokenId>(random() % 330));  // Some name nothing.
    }
    EXPECT_EQ(streamed(tokenizer, ids), utf8_sanitize(tokenizer.decode(ids)));
  }
}

}  // namespace
}  // namespace levin::engine
