// Tokenizer: text <-> token ids for a byte-level BPE described by a Hugging Face tokenizer.json.
// Special tokens (`"special": true` in added_tokens) are recognised in trusted text only, so that
// no user or tool text can inject a chat marker; other added tokens are recognised everywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace levin::engine {

using TokenId = int32_t;

enum class SpecialTokens {
  kRecognise,  // Trusted text: the program's own template.
  kAsText,     // Untrusted text: `<end_of_sentence>` is just letters.
};

// Const after load; every member may be called from many threads.
class Tokenizer {
 public:
  // Reads a tokenizer.json. Errors: kNotFound; kCorrupt (bad JSON, bad merges); kUnsupported,
  // naming the normaliser, pre-tokenizer, decoder or model type found and those that are known.
  static Result<Tokenizer> load(const std::string& path);
  // The same from the text of such a file.
  static Result<Tokenizer> from_json(std::string_view text);
  // The same from such a file's parsed content.
  static Result<Tokenizer> from_description(const nlohmann::json& description);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Nothing is added at either end. Bytes that are not UTF-8 are replaced by U+FFFD first.
  std::vector<TokenId> encode(std::string_view text, SpecialTokens special) const;

  // The exact bytes of one token (special tokens: their content). Empty for ids that name nothing.
  std::string_view token_bytes(TokenId id) const;

  // Concatenated token bytes; may end inside a UTF-8 character.
  std::string decode(const std::vector<TokenId>& ids) const;

  std::optional<TokenId> special_token(std::string_view content) const;
  bool is_special(TokenId id) const;

  // One more than the largest id in use. At most the model's vocab_size.
  TokenId vocab_size() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Decodes a stream of tokens; what it gives out always ends at a UTF-8 character border. Bytes that
// can never become a character come out as U+FFFD.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // Adds a token; returns the text that is now whole (possibly empty).
  std::string push(TokenId id);
  // The rest, a cut character as U+FFFD.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;  // At most 3 bytes of an unfinished character.
};

}  // namespace levin::engine
