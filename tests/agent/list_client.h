// A model for tests: hands out the ids of a list, then fails as it is told to.
#pragma once

#include <string>
#include <vector>

#include "agent/model_client.h"

namespace levin::agent {

class ListClient final : public ModelClient {
 public:
  ListClient(const engine::Tokenizer& tokenizer, std::vector<engine::TokenId> ids,
             ErrorCode at_end = ErrorCode::kLimit)
      : tokenizer_(tokenizer), ids_(std::move(ids)), at_end_(at_end) {}

  const engine::Tokenizer& tokenizer() const override { return tokenizer_; }
  const std::vector<engine::TokenId>& token_log() const override { return log_; }
  Result<void> append(std::span<const engine::TokenId> tokens) override {
    log_.insert(log_.end(), tokens.begin(), tokens.end());
    return {};
  }
  Result<engine::TokenId> sample(const engine::SampleOptions&) override {
    if (next_ == ids_.size()) return Error(at_end_, "the list is at its end");
    log_.push_back(ids_[next_]);
    return ids_[next_++];
  }
  int64_t num_computed() const override { return static_cast<int64_t>(token_log().size()); }
  Result<void> mark() override { return {}; }
  Result<void> rewind(int64_t) override { return Error(ErrorCode::kUnsupported, "fake"); }
  Result<void> sync(std::span<const engine::TokenId>) override {
    return Error(ErrorCode::kUnsupported, "fake");
  }
  Result<void> save_state(const std::string&) override {
    return Error(ErrorCode::kUnsupported, "fake");
  }
  Result<void> load_state(const std::string&) override {
    return Error(ErrorCode::kUnsupported, "fake");
  }
  std::string description() const override { return "a list"; }

 private:
  const engine::Tokenizer& tokenizer_;
  std::vector<engine::TokenId> ids_;
  ErrorCode at_end_;
  size_t next_ = 0;
  std::vector<engine::TokenId> log_;
};

}  // namespace levin::agent
