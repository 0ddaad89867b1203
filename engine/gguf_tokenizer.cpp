#include "engine/gguf_tokenizer.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace levin::engine {
namespace {

using nlohmann::json;

// tokenizer.ggml.token_type; 6, single bytes, is for vocabularies that are not byte-level.
enum TokenType : int64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5 };

constexpr const char* kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
                               R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// What a name in tokenizer.ggml.pre stands for. The metadata say neither normaliser nor
// ignore_merges: the published tokenizers of that name do.
struct PreTokenizerName {
  const char* name;
  const char* split;  // Null: ByteLevel's own, GPT-2's.
  bool is_nfc;
  bool ignore_merges;
};
constexpr PreTokenizerName kPreTokenizers[] = {
    {"minimax-m2", kO200k, false, false}, {"minimax-01", kO200k, false, false},
    {"minimax-m1", kO200k, false, false}, {"gpt-4o", kO200k, false, false},
    {"gpt-2", nullptr, false, false},     {"llama-bpe", kLlama3, false, true},
    {"llama3", kLlama3, false, true},     {"qwen2", kQwen2, true, false},
};

Error corrupt(const Gguf& file, const std::string& what) {
  return Error(ErrorCode::kCorrupt, file.path() + ": " + what);
}

std::string_view text_at(const Gguf& file, const std::string& key) {
  const GgufValue* value = file.find(key);
  return value == nullptr ? std::string_view() : value->text().value_or(std::string_view());
}

Result<std::vector<std::string_view>> texts_at(const Gguf& file, const std::string& key) {
  const GgufValue* value = file.find(key);
  std::optional<std::vector<std::string_view>> texts;
  if (value != nullptr) texts = value->texts();
  if (texts) return *std::move(texts);
  return corrupt(file, fmt::format("key '{}' is {}, expected an array of strings", key,
                                   value == nullptr ? "missing" : value->brief()));
}

Result<const PreTokenizerName*> find_pre_tokenizer(const Gguf& file) {
  const std::string_view model = text_at(file, "tokenizer.ggml.model");
  if (model != "gpt2") {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: tokenizer.ggml.model is '{}', expected 'gpt2' (byte-level BPE)",
                             file.path(), utf8_sanitize(model.substr(0, 80))));
  }
  const std::string_view name = text_at(file, "tokenizer.ggml.pre");
  std::string known;
  for (const PreTokenizerName& one : kPreTokenizers) {
    if (name == one.name) return &one;
    known += (known.empty() ? "" : ", ") + std::string(one.name);
  }
  return Error(ErrorCode::kUnsupported,
               fmt::format("{}: tokenizer.ggml.pre is '{}', known are {}", file.path(),
                           utf8_sanitize(name.substr(0, 80)), known));
}

json describe_pre_tokenizer(const PreTokenizerName& pre) {
  json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", pre.split == nullptr}};
  if (pre.split == nullptr) return byte_level;
  json split = {{"type", "Split"},
                {"pattern", {{"Regex", pre.split}}},
                {"behavior", "Isolated"},
                {"invert", false}};
  return {{"type", "Sequence"},
          {"pretokenizers", json::array({std::move(split), std::move(byte_level)})}};
}

Result<std::vector<int64_t>> token_types(const Gguf& file, size_t num_tokens) {
  const std::string key = "tokenizer.ggml.token_type";
  const GgufValue* value = file.find(key);
  if (value == nullptr) return std::vector<int64_t>(num_tokens, kNormal);
  std::optional<std::vector<int64_t>> types = value->wholes();
  if (types && types->size() == num_tokens) return *std::move(types);
  return corrupt(file, fmt::format("key '{}' is {}, expected {} numbers, one a token", key,
                                   value->brief(), num_tokens));
}

// "vocab" and "added_tokens".
Result<void> describe_tokens(const Gguf& file, json* vocab, json* added) {
  TRY_ASSIGN(const std::vector<std::string_view> tokens, texts_at(file, "tokenizer.ggml.tokens"));
  TRY_ASSIGN(const std::vector<int64_t> types, token_types(file, tokens.size()));
  for (size_t id = 0; id < tokens.size(); ++id) {
    switch (types[id]) {
      case kNormal: {
        const auto [entry, is_new] = vocab->emplace(std::string(tokens[id]), id);
        if (is_new) break;
        return corrupt(file, fmt::format("tokens {} and {} are both '{}'", entry->get<size_t>(), id,
                                         utf8_sanitize(tokens[id].substr(0, 80))));
      }
      case kUnknown:
      case kControl:
      case kUserDefined:
        added->push_back({{"id", id},
                          {"content", std::string(tokens[id])},
                          {"special", types[id] != kUserDefined},
                          {"normalized", false}});
        break;
      case kUnused:
        break;
      default:
        return corrupt(file, fmt::format("token {} has type {}, expected 1 to 5", id, types[id]));
    }
  }
  return {};
}

Result<json> describe(const Gguf& file) {
  TRY_ASSIGN(const PreTokenizerName* pre, find_pre_tokenizer(file));
  json vocab = json::object();
  json added = json::array();
  TRY(describe_tokens(file, &vocab, &added));
  TRY_ASSIGN(const std::vector<std::string_view> lines, texts_at(file, "tokenizer.ggml.merges"));
  json merges = json::array();
  for (const std::string_view line : lines) merges.push_back(std::string(line));
  json description;
  description["normalizer"] = pre->is_nfc ? json{{"type", "NFC"}} : json();
  description["pre_tokenizer"] = describe_pre_tokenizer(*pre);
  description["decoder"] = {{"type", "ByteLevel"}};
  description["added_tokens"] = std::move(added);
  description["model"] = {{"type", "BPE"}, {"ignore_merges", pre->ignore_merges}};
  description["model"]["vocab"] = std::move(vocab);
  description["model"]["merges"] = std::move(merges);
  return description;
}

}  // namespace

Result<std::string> gguf_tokenizer_json(const Gguf& file) {
  TRY_ASSIGN(const json description, describe(file));
  // Tokens are spelt in the byte alphabet; an added one that is no UTF-8 is refused by the parser.
  return description.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Tokenizer> load_gguf_tokenizer(const Gguf& file) {
  TRY_ASSIGN(const json description, describe(file));
  Result<Tokenizer> tokenizer = Tokenizer::from_description(description);
  if (!tokenizer) return std::move(tokenizer).error().context(file.path() + ": tokenizer");
  return tokenizer;
}

Result<TemplateFamily> gguf_template_family(const Gguf& file) {
  const GgufValue* value = file.find("tokenizer.chat_template");
  if (value == nullptr) return TemplateFamily::kM1;
  return recognise_template(value->text().value_or(std::string_view()), file.path());
}

std::string gguf_token_fingerprint(const Gguf& file) {
  XXH3_state_t* hash = XXH3_createState();
  XXH3_64bits_reset(hash);
  for (const auto& [key, value] : file.values()) {
    if (!key.starts_with("tokenizer.") && !key.starts_with("minimax-01.")) continue;
    XXH3_64bits_update(hash, key.data(), key.size());
    XXH3_64bits_update(hash, value.bytes.data(), value.bytes.size());
  }
  const XXH64_hash_t digest = XXH3_64bits_digest(hash);
  XXH3_freeState(hash);
  return fmt::format("{:016x}", digest);
}

}  // namespace levin::engine
