#include "agent/script_model.h"

#include <chrono>
#include <optional>
#include <thread>

#include "base/file_io.h"

namespace levin::agent {

Result<std::unique_ptr<ScriptModel>> ScriptModel::create(const std::string& path,
                                                         const engine::Tokenizer& tokenizer,
                                                         ScriptOptions options) {
  constexpr std::string_view kEndMarker = "<end_of_sentence>";
  constexpr size_t kScriptBytesMax = size_t{64} << 20;
  if (options.chunk_tokens < 1) {
    return Error(ErrorCode::kInvalidArgument, "script " + path + ": expected a chunk of 1 or more" +
                                                  " tokens, found " +
                                                  std::to_string(options.chunk_tokens));
  }
  const std::optional<engine::TokenId> end = tokenizer.special_token(kEndMarker);
  if (!end) {
    return Error(
        ErrorCode::kUnsupported,
        "script " + path + ": the tokenizer has no special token " + std::string(kEndMarker));
  }
  std::unique_ptr<ScriptModel> model(new ScriptModel(tokenizer, options));
  TRY_ASSIGN(const std::string content, read_file(path, kScriptBytesMax));
  TRY_ASSIGN(model->replies_, parse_script(content, path));
  model->path_ = path;
  model->end_of_sentence_ = *end;
  return model;
}

Result<void> ScriptModel::append(std::span<const engine::TokenId> tokens) {
  in_reply_ = false;
  token_log_.insert(token_log_.end(), tokens.begin(), tokens.end());
  return {};
}

void ScriptModel::begin_reply() {
  const ScriptReply& reply = replies_[next_reply_++];
  reply_tokens_ = tokenizer_.encode(reply.text, engine::SpecialTokens::kAsText);
  if (!reply.cut) reply_tokens_.push_back(end_of_sentence_);
  position_ = 0;
  in_reply_ = true;
}

Result<engine::TokenId> ScriptModel::sample(const engine::SampleOptions&) {
  if (exhausted()) {
    return Error(ErrorCode::kNotFound,
                 "script " + path_ + ": no reply left after " + std::to_string(replies_.size()));
  }
  if (!in_reply_) begin_reply();
  if (position_ == reply_tokens_.size()) {
    in_reply_ = false;
    return Error(ErrorCode::kLimit,
                 "script " + path_ + ": reply " + std::to_string(next_reply_) + " is cut here");
  }
  const int pace_ms = replies_[next_reply_ - 1].pace_ms.value_or(options_.pace_ms);
  if (pace_ms > 0 && position_ % static_cast<size_t>(options_.chunk_tokens) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pace_ms));
  }
  const engine::TokenId id = reply_tokens_[position_++];
  if (id == end_of_sentence_) in_reply_ = false;
  token_log_.push_back(id);
  return id;
}

Result<void> ScriptModel::rewind(int64_t length) {
  in_reply_ = false;
  token_log_.resize(static_cast<size_t>(length));
  return {};
}

Result<void> ScriptModel::sync(std::span<const engine::TokenId> log) {
  in_reply_ = false;
  token_log_.assign(log.begin(), log.end());
  return {};
}

Result<void> ScriptModel::save_state(const std::string& path) {
  return Error(ErrorCode::kUnsupported, path + ": a script has no state to store");
}

Result<void> ScriptModel::load_state(const std::string& path) {
  return Error(ErrorCode::kUnsupported, path + ": a script has no state to restore");
}

std::string ScriptModel::description() const {
  return "script " + path_ + " (" + std::to_string(replies_.size()) + " replies)";
}

}  // namespace levin::agent
