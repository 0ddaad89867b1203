// Three large public tokenizers against their goldens. fetch_public_tokenizers.cmake, which CTest
// runs first, puts the files into the build tree; without a network the tests are skipped.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/tokenizer.h"
#include "tests/engine/tokenizer_golden.h"

namespace levin::engine {
namespace {

class PublicTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(PublicTokenizer, EveryGoldenCase) {
  const std::string name = GetParam();
  const std::string stem = std::string(LEVIN_PUBLIC_TOKENIZERS) + "/" + name;
  if (!std::filesystem::exists(stem + ".json")) {
    std::ostringstream reason;
    reason << std::ifstream(stem + ".reason").rdbuf();
    GTEST_SKIP() << name << " could not be had: " << reason.str();
  }
  const Result<Tokenizer> tokenizer = Tokenizer::load(stem + ".json");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  levin::testing::expect_golden_cases(*tokenizer, levin::testing::golden_path(name + ".json"));
}

INSTANTIATE_TEST_SUITE_P(Npm, PublicTokenizer, ::testing::Values("gpt4o", "llama3", "qwen3"));

}  // namespace
}  // namespace levin::engine
