#include "agent/debug_text.h"

#include <gtest/gtest.h>

#include <sstream>

namespace levin::agent {
namespace {

const std::string kTokenizer =
    std::string(LEVIN_SOURCE_DIR) + "/tests/golden/tokenizer/tiny320_o200k/tokenizer.json";

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

Outcome tokenize(const std::string& input, bool no_special = false,
                 const std::string& path = kTokenizer) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int code = debug_tokenize(path, no_special, in, out, err);
  return {code, out.str(), err.str()};
}

Outcome detokenize(const std::string& input) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int code = debug_detokenize(kTokenizer, in, out, err);
  return {code, out.str(), err.str()};
}

Outcome render(engine::ChatTemplate which, const std::string& input) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int code = debug_render(which, in, out, err);
  return {code, out.str(), err.str()};
}

TEST(DebugTokenize, PrintsOneListPerLine) {
  const Outcome outcome = tokenize("\"!\"\n\"\"\n\"<end_of_sentence>\"\n");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "[0]\n[]\n[314]\n");
  const Outcome as_text = tokenize("\"<end_of_sentence>\"", true);
  EXPECT_EQ(as_text.code, 0);
  EXPECT_EQ(as_text.out.find("314"), std::string::npos);
}

TEST(DebugTokenize, BadLinesAreNamed) {
  for (const char* bad : {"{", "7", "", "\"a"}) {
    const Outcome outcome = tokenize("\"a\"\n" + std::string(bad) + "\n");
    EXPECT_EQ(outcome.code, 2);
    EXPECT_NE(outcome.err.find("line 2"), std::string::npos) << outcome.err;
  }
  const Outcome no_file = tokenize("", false, "/nonexistent.json");
  EXPECT_EQ(no_file.code, 2);
  EXPECT_NE(no_file.err.find("/nonexistent.json"), std::string::npos);
}

TEST(DebugDetokenize, PrintsTextAndReplacesBrokenCharacters) {
  const Outcome outcome = detokenize("[0,0]\n[314]\n[]\n[128]\n");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "\"!!\"\n\"<end_of_sentence>\"\n\"\"\n\"\xEF\xBF\xBD\"\n");
}

TEST(DebugDetokenize, BadLinesAreNamed) {
  for (const char* bad :
       {"[", "\"a\"", "[320]", "[-1]", "[1.0]", "[99999999999999999999]", "[[1]]"}) {
    const Outcome outcome = detokenize("[0]\n" + std::string(bad) + "\n");
    EXPECT_EQ(outcome.code, 2) << bad;
    EXPECT_NE(outcome.err.find("line 2"), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "\"!\"\n");
  }
}

TEST(DebugRender, PrintsTheTextAndNothingElse) {
  const std::string conversation = R"({"messages": [{"role": "user", "content": "Hi"}]})";
  EXPECT_EQ(render(engine::ChatTemplate::kLevin, conversation).out,
            "<begin_of_document><beginning_of_sentence>user name=user\nHi<end_of_sentence>\n");
  const Outcome strict = render(engine::ChatTemplate::kM1, conversation);
  EXPECT_EQ(strict.code, 2);
  EXPECT_NE(strict.err.find("messages[0]"), std::string::npos) << strict.err;
  EXPECT_EQ(strict.out, "");
  EXPECT_EQ(render(engine::ChatTemplate::kM1, "{").code, 2);
}

}  // namespace
}  // namespace levin::agent
