#include "engine/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace levin::engine {

Result<Session> Session::open(const Model& model, kernels::Device& device, const SessionOptions& options) {
  CHECK(options.prefill_chunk_tokens >= 1, options.prefill_chunk_tokens);
  Session session(model, device, options);
  if (session.options_.context_tokens_max <= 0) {
    session.options_.context_tokens_max = model.config.max_position_embeddings;
  }
  TRY_ASSIGN(session.state_, State::create(model.config, device));
  TRY_ASSIGN(session.buffers_, ForwardBuffers::create(model.config, device, options.prefill_chunk_tokens));
  session.logits_.resize(static_cast<size_t>(model.config.vocab_size));
  return session;
}

Result<void> Session::append(std::span<const TokenId> tokens) {
  for (const TokenId id : tokens) {
    if (id < 0 || id >= model_->config.vocab_size) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("token id {} is outside the model's vocabulary of {}", id,
                               model_->config.vocab_size));
    }
  }
  const auto total = static_cast<int64_t>(log_.size() + tokens.size());
  if (total > options_.context_tokens_max) {
    return Error(ErrorCode::kLimit, fmt::format("the context is full: {} tokens would be needed, this "
                                                "model takes {}",
                                                total, options_.context_tokens_max));
  }
  log_.insert(log_.end(), tokens.begin(), tokens.end());
  return {};
}

Result<void> Session::compute(LogitRows rows, float* logits) {
  const ForwardContext context{*model_, *device_, state_, buffers_, trace_};
  const auto total = static_cast<int64_t>(log_.size());
  while (state_.num_tokens < total) {
    const int64_t count = std::min(total - state_.num_tokens, options_.prefill_chunk_tokens);
    const bool is_last = state_.num_tokens + count == total;
    const auto pending = std::span<const TokenId>(log_).subspan(static_cast<size_t>(state_.num_tokens),
                                                                static_cast<size_t>(count));
    const LogitRows wanted = rows == LogitRows::kLast && !is_last ? LogitRows::kNone : rows;
    TRY(forward(context, pending, wanted, logits));
    if (rows == LogitRows::kAll) logits += count * model_->config.vocab_size;
  }
  return {};
}

Result<std::span<const float>> Session::logits() {
  CHECK(!log_.empty());
  const auto total = static_cast<int64_t>(log_.size());
  if (state_.num_tokens < total) {
    TRY(compute(LogitRows::kLast, logits_.data()));
    logits_at_ = total;
  }
  CHECK(logits_at_ == total, logits_at_, total);
  return std::span<const float>(logits_);
}

Result<void> Session::all_logits(std::vector<float>* all) {
  const size_t pending = log_.size() - static_cast<size_t>(state_.num_tokens);
  if (pending == 0) return {};
  const size_t before = all->size();
  const int64_t first = state_.num_tokens;
  all->resize(before + pending * logits_.size());
  Result<void> result = compute(LogitRows::kAll, all->data() + before);
  if (!result) {  // Rows that were computed are kept: they cannot be asked for again.
    all->resize(before + static_cast<size_t>(state_.num_tokens - first) * logits_.size());
    return result;
  }
  std::copy_n(all->end() - static_cast<std::ptrdiff_t>(logits_.size()), logits_.size(), logits_.begin());
  logits_at_ = static_cast<int64_t>(log_.size());
  return {};
}

Result<TokenId> Session::sample(const SampleOptions& options) {
  TRY_ASSIGN(const std::span<const float> now, logits());
  const TokenId id = sampler_.sample(now, options, log_.size());
  TRY(append(std::span<const TokenId>(&id, 1)));
  return id;
}

}  // namespace levin::engine
