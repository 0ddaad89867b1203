#include "engine/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "engine/anchor_file.h"
#include "engine/state_file.h"

namespace levin::engine {

Result<Session> Session::open(const Model& model, kernels::Device& device,
                              const SessionOptions& options) {
  CHECK(options.prefill_chunk_tokens >= 1, options.prefill_chunk_tokens);
  Session session(model, device, options);
  if (session.options_.context_tokens_max <= 0) {
    session.options_.context_tokens_max = model.config.max_position_embeddings;
  }
  TRY_ASSIGN(session.state_, State::create(model.config, device, options.kv_dtype));
  TRY_ASSIGN(session.buffers_,
             ForwardBuffers::create(model, device, options.prefill_chunk_tokens));
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
    return Error(ErrorCode::kLimit,
                 fmt::format("the context is full: {} tokens would be needed, this "
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
    const auto pending = std::span<const TokenId>(log_).subspan(
        static_cast<size_t>(state_.num_tokens), static_cast<size_t>(count));
    const LogitRows wanted = rows == LogitRows::kLast && !is_last ? LogitRows::kNone : rows;
    TRY(forward(context, pending, wanted, logits));
    if (rows == LogitRows::kAll) logits += count * model_->config.vocab_size;
  }
  return {};
}

Result<std::span<const float>> Session::logits() {
  CHECK(!log_.empty());
  const auto total = static_cast<int64_t>(log_.size());
  if (logits_at_ != total) {
    // After a rewind the state may be here without its logits: the last token is read once more.
    if (state_.num_tokens == total) TRY(restore_state(total - 1));
    TRY(compute(LogitRows::kLast, logits_.data()));
    logits_at_ = total;
  }
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
  std::copy_n(all->end() - static_cast<std::ptrdiff_t>(logits_.size()), logits_.size(),
              logits_.begin());
  logits_at_ = static_cast<int64_t>(log_.size());
  return {};
}

Result<TokenId> Session::sample(const SampleOptions& options) {
  TRY_ASSIGN(const std::span<const float> now, logits());
  const TokenId id = sampler_.sample(now, options, log_.size());
  TRY(append(std::span<const TokenId>(&id, 1)));
  return id;
}

Result<void> Session::keep_anchor(bool pinned) {
  if (log_.empty()) return {};
  TRY(logits());
  TRY_ASSIGN(State copy, state_.clone(*device_));
  anchors_.add(std::move(copy), logits_, pinned);
  return {};
}

// Brings the state (not the log) back to `position` or, where nothing nearer is kept, before it.
Result<void> Session::restore_state(int64_t position) {
  if (position >= state_.num_tokens) return {};
  if (position >= state_.block_start()) {
    state_.drop_to(position);
    return {};
  }
  const Anchors::Anchor* anchor = anchors_.nearest(position);
  if (anchor == nullptr) {
    TRY_ASSIGN(state_, State::create(model_->config, *device_, options_.kv_dtype));
    return {};
  }
  TRY_ASSIGN(state_, anchor->state.clone(*device_));
  if (state_.num_tokens > position) {
    state_.drop_to(position);
  } else if (state_.num_tokens == position && !anchor->logits.empty()) {
    logits_ = anchor->logits;
    logits_at_ = position;
  }
  return {};
}

Result<void> Session::rewind(int64_t position) {
  CHECK(position >= 0, position);
  CHECK(position <= static_cast<int64_t>(log_.size()), position, log_.size());
  if (logits_at_ > position) logits_at_ = 0;
  TRY(restore_state(position));
  log_.resize(static_cast<size_t>(position));
  anchors_.drop_beyond(position);
  return {};
}

Result<int64_t> Session::sync(std::span<const TokenId> tokens) {
  const auto difference = std::mismatch(log_.begin(), log_.end(), tokens.begin(), tokens.end());
  const auto common = difference.first - log_.begin();
  TRY(rewind(common));
  const int64_t kept = std::min<int64_t>(common, state_.num_tokens);
  TRY(append(tokens.subspan(static_cast<size_t>(common))));
  return kept;
}

Result<Session> Session::fork() const {
  TRY_ASSIGN(Session copy, open(*model_, *device_, options_));
  TRY_ASSIGN(copy.state_, state_.clone(*device_));
  copy.log_ = log_;
  copy.logits_ = logits_;
  copy.logits_at_ = logits_at_;
  return copy;
}

Result<void> Session::save(const std::string& path) {
  if (!log_.empty()) TRY(logits());
  return save_state(path, *model_, log_, state_, log_.empty() ? std::vector<float>() : logits_);
}

Result<void> Session::load(const std::string& path) {
  TRY_ASSIGN(SavedState saved, load_state(path, *model_, *device_, options_.kv_dtype));
  const auto total = static_cast<int64_t>(saved.log.size());
  if (total > options_.context_tokens_max) {
    return Error(ErrorCode::kLimit, fmt::format("{}: holds {} tokens, this session takes {}", path,
                                                total, options_.context_tokens_max));
  }
  log_ = std::move(saved.log);
  state_ = std::move(saved.state);
  logits_at_ = 0;
  if (!saved.logits.empty()) {
    logits_ = std::move(saved.logits);
    logits_at_ = total;
  }
  anchors_.drop_beyond(-1);
  return {};
}

Result<void> Session::save_anchors(const std::string& path, size_t bytes_max) const {
  return engine::save_anchors(path, *model_, log_, anchors_.all(), bytes_max);
}

Result<void> Session::load_anchors(const std::string& path) {
  return engine::load_anchors(path, *model_, *device_, log_, state_, &anchors_);
}

}  // namespace levin::engine
