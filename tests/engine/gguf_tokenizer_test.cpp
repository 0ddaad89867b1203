// Tokenizers and chat templates from GGUF metadata: equal to the tokenizer.json they were made
// from; whatever is not known is refused by name.
#include "engine/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/engine.h"
#include "tests/base/temporary_folder.h"
#include "tests/engine/gguf_writer.h"
#include "tests/engine/raw_safetensors.h"
#include "tests/engine/tokenizer_golden.h"

namespace levin::engine {
namespace {

using nlohmann::json;

const std::string kTiny = std::string(LEVIN_SOURCE_DIR) + "/engine/models/levin-tiny";

json json_file(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return json::parse(file);
}

class GgufTokenizerTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.file("model.gguf"); }

  Result<Gguf> open(const GgufContent& content) {
    write_plain(path(), content.bytes());
    return Gguf::open(path());
  }

  void expect_failure(const GgufContent& content, ErrorCode code,
                      const std::vector<std::string>& words) {
    const Result<Gguf> file = open(content);
    ASSERT_TRUE(file) << file.error().message();
    const Result<Tokenizer> tokenizer = load_gguf_tokenizer(*file);
    ASSERT_FALSE(tokenizer);
    EXPECT_EQ(tokenizer.error().code(), code) << tokenizer.error().message();
    for (const std::string& word : words) {
      EXPECT_NE(tokenizer.error().message().find(word), std::string::npos)
          << tokenizer.error().message() << "\nshould say: " << word;
    }
  }

  static GgufContent tiny_content() {
    GgufContent content;
    add_tokenizer(json_file(testing_golden("tiny320_o200k/tokenizer.json")), "minimax-m2", 320,
                  &content);
    return content;
  }
  static std::string testing_golden(const std::string& name) {
    return levin::testing::golden_path(name);
  }

  TemporaryFolder folder_;
};

TEST_F(GgufTokenizerTest, GoldenStringsHaveTheIdsOfTheTokenizerJson) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"mini_o200k", "gpt-4o"},
                                                                  {"mini_o200k", "minimax-m2"},
                                                                  {"mini_gpt2", "gpt-2"},
                                                                  {"mini_qwen_nfc", "qwen2"},
                                                                  {"tiny320_o200k", "minimax-m2"}};
  for (const auto& [name, pre] : cases) {
    SCOPED_TRACE(name + " " + pre);
    GgufContent content;
    // Ten ids more than there are tokens: unused ones name nothing.
    const json description = json_file(testing_golden(name + "/tokenizer.json"));
    size_t size = description["model"]["vocab"].size() + description["added_tokens"].size();
    add_tokenizer(description, pre, size + 10, &content);
    const Result<Gguf> file = open(content);
    ASSERT_TRUE(file) << file.error().message();
    const Result<Tokenizer> tokenizer = load_gguf_tokenizer(*file);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message();
    levin::testing::expect_golden_cases(*tokenizer, testing_golden(name + "/expected.json"));
    const Result<Tokenizer> original = Tokenizer::load(testing_golden(name + "/tokenizer.json"));
    ASSERT_TRUE(original);
    EXPECT_EQ(tokenizer->vocab_size(), original->vocab_size());
    for (TokenId id = 0; id < original->vocab_size() + 10; ++id) {
      EXPECT_EQ(tokenizer->token_bytes(id), original->token_bytes(id)) << id;
      EXPECT_EQ(tokenizer->is_special(id), original->is_special(id)) << id;
    }
  }
}

TEST_F(GgufTokenizerTest, WrongPreTokenizersDiffer) {
  GgufContent content;
  add_tokenizer(json_file(testing_golden("mini_gpt2/tokenizer.json")), "gpt-4o", 1024, &content);
  const Result<Gguf> file = open(content);
  const Result<Tokenizer> tokenizer = load_gguf_tokenizer(*file);
  ASSERT_TRUE(tokenizer);
  const json cases = json_file(testing_golden("mini_gpt2/expected.json")).at("cases");
  int different = 0;
  for (const json& one : cases) {
    different += tokenizer->encode(one.at("text").get<std::string>(), SpecialTokens::kRecognise) !=
                 one.at("ids").get<std::vector<TokenId>>();
  }
  EXPECT_GT(different, 10);
}

TEST_F(GgufTokenizerTest, UnknownModelsAndPreTokenizersAreNamed) {
  GgufContent content = tiny_content();
  content.set("tokenizer.ggml.pre", gguf_text("tekken"));
  expect_failure(content, ErrorCode::kUnsupported, {path(), "'tekken'", "minimax-m2", "gpt-4o"});
  content.erase("tokenizer.ggml.pre");
  expect_failure(content, ErrorCode::kUnsupported, {"tokenizer.ggml.pre is ''"});
  content = tiny_content();
  content.set("tokenizer.ggml.model", gguf_text("llama"));
  expect_failure(content, ErrorCode::kUnsupported, {"tokenizer.ggml.model is 'llama'", "'gpt2'"});
}

TEST_F(GgufTokenizerTest, ListsThatDoNotFitAreNamed) {
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
    GgufContent content = tiny_content();
    content.erase(key);
    expect_failure(content, ErrorCode::kCorrupt, {"'" + std::string(key) + "' is missing"});
    content.set(key, gguf_u32(3));
    expect_failure(content, ErrorCode::kCorrupt, {"'" + std::string(key) + "' is 3"});
  }
  GgufContent content = tiny_content();
  content.set("tokenizer.ggml.token_type", gguf_i32s({1, 2}));
  expect_failure(content, ErrorCode::kCorrupt, {"token_type' is an array of 2", "320 numbers"});
  content.set("tokenizer.ggml.token_type", gguf_i32s(std::vector<int32_t>(320, 6)));
  expect_failure(content, ErrorCode::kCorrupt, {"token 0 has type 6"});
  content = tiny_content();
  content.set("tokenizer.ggml.tokens", gguf_texts(std::vector<std::string>(320, "twice")));
  content.erase("tokenizer.ggml.token_type");
  expect_failure(content, ErrorCode::kCorrupt, {"tokens 0 and 1 are both 'twice'"});
  content = tiny_content();
  content.set("tokenizer.ggml.merges", gguf_texts({"a b c"}));
  expect_failure(content, ErrorCode::kCorrupt, {path(), "merge 0"});
  // The message may go to a terminal or into JSON, so it is UTF-8 without control characters.
  content.set("tokenizer.ggml.merges", gguf_texts({"\xFF\x1B[2J b"}));
  expect_failure(content, ErrorCode::kCorrupt,
                 {"merge 0: '\xEF\xBF\xBD?[2J' is not in the vocabulary"});
}

TEST_F(GgufTokenizerTest, TemplatesAreRecognised) {
  const json config = json_file(kTiny + "/tokenizer_config.json");
  const auto family = [&](const std::string& text) {
    GgufContent content = tiny_content();
    content.set("tokenizer.chat_template", gguf_text(text));
    const Result<Gguf> file = open(content);
    const Result<TemplateFamily> found = gguf_template_family(*file);
    return found ? std::string(template_family_name(*found)) : found.error().message();
  };
  EXPECT_EQ(family(config.at("chat_template")), "m1");
  const std::string turns = "<beginning_of_sentence>user name=user\\n{{ t }}<end_of_sentence>\\n";
  EXPECT_EQ(family("{{ 'system ai_setting=assistant' }} ai name=assistant " + turns), "text-01");
  EXPECT_EQ(
      family("{{ 'system ai_setting=MiniMax AI' }} ai name=MiniMax AI tool_setting=tools " + turns),
      "vllm");
  const std::string refusal = family("{% for m in messages %}<|im_start|>{{ m }}{% endfor %}");
  EXPECT_NE(refusal.find("--chat-template m1, text-01 or vllm"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find(path()), std::string::npos) << refusal;
  EXPECT_EQ(gguf_template_family(*open(tiny_content())).has_value(), true);  // None in the file.
}

// The embedded model, converted: it opens as an engine, and writes what the folder writes.
TEST_F(GgufTokenizerTest, AWholeModelInOneFile) {
  const PlainModel plain = folder_model(kTiny);
  GgufContent content = gguf_of(plain, "BF16");
  add_tokenizer(json_file(kTiny + "/tokenizer.json"), "minimax-m2",
                plain.config.at("vocab_size").get<size_t>(), &content);
  content.set("tokenizer.chat_template",
              gguf_text(json_file(kTiny + "/tokenizer_config.json").at("chat_template")));
  write_plain(path(), content.bytes());
  // The metadata have no name for this tokenizer's own way to split, so both read the same ids.
  const Result<Tokenizer> original = Tokenizer::load(kTiny + "/tokenizer.json");
  ASSERT_TRUE(original);
  const std::vector<TokenId> prompt = original->encode(
      "<begin_of_document><beginning_of_sentence>user name=user\nHello, who are you?"
      "<end_of_sentence>\n<beginning_of_sentence>ai name=assistant\n",
      SpecialTokens::kRecognise);
  const auto greedy = [&](const std::string& model, const std::string& chat_template) {
    EngineOptions options;
    options.model_folder = model;
    options.chat_template = chat_template;
    options.cpu.num_threads = 2;
    const Result<std::unique_ptr<Engine>> engine = Engine::open(options);
    if (!engine) return engine.error().message();
    Result<Session> session = (*engine)->open_session({});
    EXPECT_TRUE(session);
    EXPECT_TRUE(session->append(prompt));
    std::vector<TokenId> reply;
    for (int i = 0; i < 24; ++i) {
      const Result<TokenId> id = session->sample({.temperature = 0});
      EXPECT_TRUE(id);
      reply.push_back(*id);
    }
    return (*engine)->tokenizer().decode(reply);
  };
  const std::string expected = greedy(kTiny, "");
  EXPECT_GT(expected.size(), 24u);
  EXPECT_EQ(greedy(path(), ""), expected);
  content.set("tokenizer.chat_template", gguf_text("{{ another }}"));
  write_plain(path(), content.bytes());
  EXPECT_NE(greedy(path(), "").find("none of those known"), std::string::npos);
  EXPECT_EQ(greedy(path(), "m1"), expected);
  EXPECT_NE(greedy(path(), "chatml").find("--chat-template chatml"), std::string::npos);
}

}  // namespace
}  // namespace levin::engine
