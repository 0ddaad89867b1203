// A model that says what a file tells it to (agent/script_file.h). Everything around it is real:
// the text is encoded by the tokenizer and handed out token by token.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/model_client.h"
#include "agent/script_file.h"

namespace levin::agent {

struct ScriptOptions {
  size_t first_reply = 0;  // Replies before it were used by an earlier run of the session.
  int chunk_tokens = 1;    // Tokens that come at once, at least 1.
  int pace_ms = 0;         // Wait before each chunk.
};

class ScriptModel final : public ModelClient {
 public:
  // Reads the script at `path`. `tokenizer` outlives the model. Errors: those of read_file and
  // parse_script; kUnsupported when the tokenizer has no <end_of_sentence>; kInvalidArgument for a
  // chunk size below 1.
  static Result<std::unique_ptr<ScriptModel>> create(const std::string& path,
                                                     const engine::Tokenizer& tokenizer,
                                                     ScriptOptions options);

  const engine::Tokenizer& tokenizer() const override { return tokenizer_; }
  const std::vector<engine::TokenId>& token_log() const override { return token_log_; }
  // What is left of a reply in progress is dropped.
  Result<void> append(std::span<const engine::TokenId> tokens) override;
  // A reply that the script cuts ends with kLimit; past the last reply there is kNotFound.
  Result<engine::TokenId> sample(const engine::SampleOptions& options) override;
  // A script reads nothing, so its log costs nothing.
  int64_t num_computed() const override { return static_cast<int64_t>(token_log_.size()); }
  Result<void> mark() override { return {}; }
  Result<void> rewind(int64_t length) override;
  Result<void> sync(std::span<const engine::TokenId> log) override;
  Result<void> save_state(const std::string& path) override;
  Result<void> load_state(const std::string& path) override;
  std::string description() const override;
  bool exhausted() const override { return !in_reply_ && next_reply_ >= replies_.size(); }

  // Replies begun so far, those before `first_reply` included: where a later run goes on.
  size_t replies_used() const { return next_reply_; }

 private:
  ScriptModel(const engine::Tokenizer& tokenizer, ScriptOptions options)
      : tokenizer_(tokenizer), options_(options), next_reply_(options.first_reply) {}

  void begin_reply();

  const engine::Tokenizer& tokenizer_;
  ScriptOptions options_;
  std::string path_;
  engine::TokenId end_of_sentence_ = 0;
  std::vector<ScriptReply> replies_;
  size_t next_reply_ = 0;
  bool in_reply_ = false;
  std::vector<engine::TokenId> reply_tokens_;  // Of the reply in progress, end marker included.
  size_t position_ = 0;                        // In reply_tokens_.
  std::vector<engine::TokenId> token_log_;
};

}  // namespace levin::agent
