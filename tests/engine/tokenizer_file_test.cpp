// Bad tokenizer.json files: each is an error that names the fault, none a crash.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/tokenizer.h"
#include "tests/engine/tokenizer_golden.h"

namespace levin::engine {
namespace {

using nlohmann::json;

std::string good_text() {
  std::ifstream file(levin::testing::golden_path("tiny320_o200k/tokenizer.json"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct BadFile {
  const char* name;
  ErrorCode code;
  const char* message_part;
  std::function<void(json&)> spoil;
};

class BadTokenizerFile : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadTokenizerFile, IsRefusedWithAReason) {
  json file = json::parse(good_text());
  GetParam().spoil(file);
  const Result<Tokenizer> tokenizer = Tokenizer::from_json(file.dump());
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code(), GetParam().code) << tokenizer.error().message();
  EXPECT_NE(tokenizer.error().message().find(GetParam().message_part), std::string::npos)
      << tokenizer.error().message();
}

json& split_of(json& file) {
  return file["pre_tokenizer"]["pretokenizers"][0];
}

const json kByteLevel = {{"type", "ByteLevel"}, {"use_regex", false}, {"add_prefix_space", false}};

std::vector<BadFile> corrupt_files() {
  constexpr auto kCorrupt = ErrorCode::kCorrupt;
  return {
      {"NotAnObject", kCorrupt, "JSON object", [](json& file) { file = json::array(); }},
      {"NoModel", kCorrupt, "\"model\"", [](json& file) { file.erase("model"); }},
      {"NoVocab", kCorrupt, "\"vocab\"", [](json& file) { file["model"].erase("vocab"); }},
      {"VocabIsAList", kCorrupt, "\"vocab\"",
       [](json& file) { file["model"]["vocab"] = json::array(); }},
      {"NoMerges", kCorrupt, "\"merges\"", [](json& file) { file["model"].erase("merges"); }},
      {"IdIsAString", kCorrupt, "'A'", [](json& file) { file["model"]["vocab"]["A"] = "32"; }},
      {"IdIsNegative", kCorrupt, "found -1", [](json& file) { file["model"]["vocab"]["A"] = -1; }},
      {"IdIsAFraction", kCorrupt, "found 1.5",
       [](json& file) { file["model"]["vocab"]["A"] = 1.5; }},
      {"IdIsHuge", kCorrupt, "found 2147483648",
       [](json& file) { file["model"]["vocab"]["A"] = 2147483648; }},
      {"IdHas64Bits", kCorrupt, "found 18446744073709551615",
       [](json& file) { file["model"]["vocab"]["A"] = 18446744073709551615u; }},
      {"IdTwice", kCorrupt, "the same id 33", [](json& file) { file["model"]["vocab"]["A"] = 33; }},
      {"MergeOfOne", kCorrupt, "merge 0", [](json& file) { file["model"]["merges"][0] = "ab"; }},
      {"MergeOfThree", kCorrupt, "merge 0",
       [](json& file) { file["model"]["merges"][0] = "a b c"; }},
      {"MergeIsANumber", kCorrupt, "merge 2", [](json& file) { file["model"]["merges"][2] = 7; }},
      {"MergeListOfThree", kCorrupt, "merge 1",
       [](json& file) {
         file["model"]["merges"][1] = {"a", "b", "c"};
       }},
      {"MergePartAbsent", kCorrupt, "merge 1: 'qqq'",
       [](json& file) { file["model"]["merges"][1] = "qqq a"; }},
      {"MergeResultAbsent", kCorrupt, "merge 1: '~~'",
       [](json& file) { file["model"]["merges"][1] = "~ ~"; }},
      {"AddedIsAnObject", kCorrupt, "added_tokens",
       [](json& file) {
         file["added_tokens"] = {{"a", 1}};
       }},
      {"AddedIsANumber", kCorrupt, "content", [](json& file) { file["added_tokens"][0] = 3; }},
      {"AddedIsEmpty", kCorrupt, "0 bytes",
       [](json& file) { file["added_tokens"][0]["content"] = ""; }},
      {"AddedIsTooLong", kCorrupt, "100000 bytes",
       [](json& file) { file["added_tokens"][0]["content"] = std::string(100000, 'x'); }},
      {"AddedIdTaken", kCorrupt, "the same id 5",
       [](json& file) { file["added_tokens"][0]["id"] = 5; }},
      {"AddedIdMissing", kCorrupt, "found null",
       [](json& file) { file["added_tokens"][0].erase("id"); }},
      {"AddedIdDiffersFromVocab", kCorrupt, "in the vocabulary",
       [](json& file) { file["added_tokens"][0]["content"] = "A"; }},
      {"FlagIsAString", kCorrupt, "\"special\"",
       [](json& file) { file["added_tokens"][0]["special"] = "yes"; }},
      {"BadRegex", kCorrupt, "offset",
       [](json& file) { split_of(file)["pattern"]["Regex"] = "(a"; }},
      {"BehaviorMissing", kCorrupt, "\"behavior\"",
       [](json& file) { split_of(file).erase("behavior"); }},
      {"NormalizerIsAString", kCorrupt, "normalizer",
       [](json& file) { file["normalizer"] = "NFC"; }},
      {"SequenceWithoutParts", kCorrupt, "pretokenizers",
       [](json& file) { file["pre_tokenizer"].erase("pretokenizers"); }},
  };
}

std::vector<BadFile> unsupported_files() {
  constexpr auto kUnsupported = ErrorCode::kUnsupported;
  return {
      {"Unigram", kUnsupported, "Unigram", [](json& file) { file["model"]["type"] = "Unigram"; }},
      {"Dropout", kUnsupported, "dropout", [](json& file) { file["model"]["dropout"] = 0.1; }},
      {"Suffix", kUnsupported, "</w>",
       [](json& file) { file["model"]["end_of_word_suffix"] = "</w>"; }},
      {"ByteFallback", kUnsupported, "byte_fallback",
       [](json& file) { file["model"]["byte_fallback"] = true; }},
      {"ByteMissing", kUnsupported, "0x7E", [](json& file) { file["model"]["vocab"].erase("~"); }},
      {"Nfkc", kUnsupported, "NFKC",
       [](json& file) {
         file["normalizer"] = {{"type", "NFKC"}};
       }},
      {"Metaspace", kUnsupported, "known: ByteLevel, Split, Sequence",
       [](json& file) {
         file["pre_tokenizer"] = {{"type", "Metaspace"}};
       }},
      {"NoPreTokenizer", kUnsupported, "ByteLevel",
       [](json& file) { file["pre_tokenizer"] = nullptr; }},
      {"ByteLevelTwice", kUnsupported, "must come last",
       [](json& file) { file["pre_tokenizer"]["pretokenizers"].push_back(kByteLevel); }},
      {"MergedWithNext", kUnsupported, "MergedWithNext",
       [](json& file) { split_of(file)["behavior"] = "MergedWithNext"; }},
      {"RemovedAlone", kUnsupported, "Removed",
       [](json& file) { split_of(file)["behavior"] = "Removed"; }},
      {"StringPattern", kUnsupported, "a Regex",
       [](json& file) {
         split_of(file)["pattern"] = {{"String", " "}};
       }},
      {"NestedClass", kUnsupported, "class in a class",
       [](json& file) { split_of(file)["pattern"]["Regex"] = "[a[bc]]"; }},
      {"ClassIntersection", kUnsupported, "&&",
       [](json& file) { split_of(file)["pattern"]["Regex"] = "[a-z&&b]"; }},
      {"HexDigitClass", kUnsupported, "\\h",
       [](json& file) { split_of(file)["pattern"]["Regex"] = "\\h+"; }},
      {"Decoder", kUnsupported, "WordPiece",
       [](json& file) {
         file["decoder"] = {{"type", "WordPiece"}};
       }},
      {"NoDecoder", kUnsupported, "decoder", [](json& file) { file["decoder"] = nullptr; }},
      {"PostProcessor", kUnsupported, "RobertaProcessing",
       [](json& file) {
         file["post_processor"] = {{"type", "RobertaProcessing"}};
       }},
      {"Lstrip", kUnsupported, "lstrip",
       [](json& file) { file["added_tokens"][0]["lstrip"] = true; }},
      {"SingleWord", kUnsupported, "single_word",
       [](json& file) { file["added_tokens"][0]["single_word"] = true; }},
      {"SequencesTooDeep", ErrorCode::kLimit, "nested",
       [](json& file) {
         for (int depth = 0; depth < 50; ++depth) {
           file["normalizer"] = {{"type", "Sequence"},
                                 {"normalizers", json::array({file["normalizer"]})}};
         }
       }},
  };
}

std::string name_of(const ::testing::TestParamInfo<BadFile>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Corrupt, BadTokenizerFile, ::testing::ValuesIn(corrupt_files()), name_of);
INSTANTIATE_TEST_SUITE_P(Unsupported, BadTokenizerFile, ::testing::ValuesIn(unsupported_files()),
                         name_of);

TEST(BadTokenizerFileText, EveryTruncationIsAnError) {
  const std::string text = good_text();
  const size_t end = text.find_last_not_of(" \n");
  for (size_t size = 0; size <= end; size += 13) {
    const Result<Tokenizer> tokenizer = Tokenizer::from_json(text.substr(0, size));
    ASSERT_FALSE(tokenizer) << size;
    EXPECT_EQ(tokenizer.error().code(), ErrorCode::kCorrupt);
  }
}

TEST(BadTokenizerFileText, DeepJsonAndBrokenUtf8AreErrors) {
  EXPECT_FALSE(Tokenizer::from_json(std::string(1 << 20, '[')));
  EXPECT_FALSE(Tokenizer::from_json("{\"model\": \"\xFF\"}"));
}

// Values that messages quote: printing JSON recurses, and a deep one must not end the stack.
TEST(BadTokenizerFileText, DeepValuesAreRefusedInBrief) {
  const std::string deep = std::string(400'000, '[') + std::string(400'000, ']');
  const std::function<json&(json&)> places[] = {
      [](json& file) -> json& { return file["model"]["type"]; },
      [](json& file) -> json& { return file["model"]["dropout"]; },
      [](json& file) -> json& { return file["model"]["end_of_word_suffix"]; },
      [](json& file) -> json& { return file["model"]["vocab"]["A"]; },
      [](json& file) -> json& { return file["added_tokens"][0]["id"]; },
      [](json& file) -> json& { return split_of(file)["pattern"]; },
  };
  for (const auto& place : places) {
    json file = json::parse(good_text());
    place(file) = "@deep@";
    std::string text = file.dump();
    text.replace(text.find("\"@deep@\""), 8, deep);
    const Result<Tokenizer> tokenizer = Tokenizer::from_json(text);
    ASSERT_FALSE(tokenizer);
    EXPECT_NE(tokenizer.error().message().find("a list of 1"), std::string::npos)
        << tokenizer.error().message().substr(0, 200);
  }
}

TEST(BadTokenizerFileText, AReplacedValueNeverCrashes) {
  // Every value of the small parts of the file, replaced by one of each JSON type.
  const json good = json::parse(good_text());
  json flat = good;
  flat["model"].erase("vocab");
  flat["model"].erase("merges");
  flat = flat.flatten();
  const json replacements = {nullptr, true, -1, 1e300, "x", json::array({1}), {{"type", 1}}};
  int accepted = 0;
  for (const auto& [path, value] : flat.items()) {
    for (const json& replacement : replacements) {
      json file = good;
      file[json::json_pointer(path)] = replacement;
      accepted += Tokenizer::from_json(file.dump()) ? 1 : 0;
    }
  }
  EXPECT_GT(accepted, 0);  // Some members do not matter to us ("version", trim_offsets).
}

TEST(TokenizerFile, PathsAreInTheErrors) {
  const Result<Tokenizer> absent = Tokenizer::load("/nonexistent/tokenizer.json");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), ErrorCode::kNotFound);
  const std::string path = levin::testing::golden_path("README.md");
  const Result<Tokenizer> text = Tokenizer::load(path);
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message().find(path), std::string::npos) << text.error().message();
}

TEST(TokenizerFile, HarmlessVariantsAreRead) {
  json file = json::parse(good_text());
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  file["post_processor"] = {
      {"type", "Sequence"},
      {"processors", {{{"type", "ByteLevel"}}, {{"type", "TemplateProcessing"}}}}};
  json merges = json::array();
  for (const json& merge : file["model"]["merges"]) {
    const auto line = merge.get<std::string>();
    const size_t space = line.find(' ');
    merges.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  file["model"]["merges"] = merges;
  const Result<Tokenizer> tokenizer = Tokenizer::from_json(file.dump());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  EXPECT_EQ(tokenizer->encode(" the", SpecialTokens::kAsText),
            Tokenizer::from_json(good_text())->encode(" the", SpecialTokens::kAsText));
}

}  // namespace
}  // namespace levin::engine
