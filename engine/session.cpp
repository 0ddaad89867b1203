#include "engine/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/check.h"
#include "engine/anchor_file.h"
#include "engine/state_file.h"

namespace levin::engine {
namespace {

constexpr size_t kRoomTokens = 8192;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool all_finite(std::span<const float> values) {
  bool finite = true;
  for (const float value : values) finite &= std::isfinite(value);
  return finite;
}

}  // namespace

Result<Session> Session::open(const Model& model, kernels::Device& device,
                              const SessionOptions& options) {
  CHECK(options.prefill_chunk_tokens >= 1, options.prefill_chunk_tokens);
  Session session(model, device, options);
  if (session.options_.context_tokens_max <= 0) {
    session.options_.context_tokens_max = model.config.max_position_embeddings;
  }
  TRY_ASSIGN(session.state_, State::create(model.config, device, options.kv_dtype));
  TRY_ASSIGN(session.buffers_, ForwardBuffers::create(model, device, options.prefill_chunk_tokens));
  session.logits_.resize(static_cast<size_t>(model.config.vocab_size));
  if (options.speculation != Speculation::kOff) {
    const auto rows =
        static_cast<size_t>(std::min(Drafter::kDraftMax + 1, options.prefill_chunk_tokens));
    session.ahead_rows_.resize(rows * session.logits_.size());
    session.ahead_tokens_.reserve(rows);
  }
  return session;
}

Result<void> Session::append(std::span<const TokenId> tokens) {
  settle();
  // Room for the reply after it: decoding allocates nothing. Doubled, so that many appends are
  // cheap.
  const size_t wanted = log_.size() + tokens.size() + kRoomTokens;
  if (log_.capacity() < wanted) log_.reserve(std::max(wanted, 2 * log_.capacity()));
  return push(tokens);
}

Result<void> Session::push(std::span<const TokenId> tokens) {
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
    Result<void> done = forward(context, pending, wanted, logits);
    const bool is_short = !done && done.error().code() == ErrorCode::kLimit;
    if (is_short && (parked_.drop_oldest() || anchors_.drop_oldest())) continue;  // Once more.
    if (!done) {
      return std::move(done).error().context(
          fmt::format("{} tokens after {}", count, state_.num_tokens));
    }
    if (rows == LogitRows::kAll) logits += count * model_->config.vocab_size;
  }
  return {};
}

Result<std::span<const float>> Session::logits() {
  CHECK(!log_.empty());
  settle();
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
  settle();
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

// The logits after the log's last token, where the last draft's pass has them.
const float* Session::row_ahead() const {
  const int64_t row = static_cast<int64_t>(log_.size()) - ahead_from_;
  if (row < 0 || row >= num_ahead_) return nullptr;
  return ahead_rows_.data() + static_cast<size_t>(row) * logits_.size();
}

// Ends what is left of a draft: state and logits are those of the log, as without speculation.
void Session::settle() {
  if (!is_ahead()) return;
  const auto total = static_cast<int64_t>(log_.size());
  if (const float* row = row_ahead()) {
    std::copy_n(row, logits_.size(), logits_.begin());
    logits_at_ = total;
  }
  if (state_.num_tokens > total) state_.drop_to(total);
  num_ahead_ = 0;
}

// Reads the one pending token and guesses for those after it. False: nothing was guessed, and
// nothing was done.
Result<bool> Session::read_ahead() {
  const auto total = static_cast<int64_t>(log_.size());
  const int64_t first = state_.num_tokens;
  // The block may not become full: its journal would be folded into the state, for good.
  const int64_t room = kernels::kLightningBlock - 1 - (first - state_.block_start());
  const int64_t limit = std::min({Drafter::kDraftMax, room - 1, options_.context_tokens_max - total,
                                  options_.prefill_chunk_tokens - 1});
  const std::span<const TokenId> draft =
      drafter_.propose(log_, std::max(limit, int64_t{0}), options_.speculation);
  if (draft.empty()) return false;
  ahead_tokens_.assign(1, log_.back());
  ahead_tokens_.insert(ahead_tokens_.end(), draft.begin(), draft.end());
  const auto count = static_cast<int64_t>(ahead_tokens_.size());
  const auto start = std::chrono::steady_clock::now();
  const ForwardContext context{*model_, *device_, state_, buffers_, trace_};
  // Too little memory for the draft may be enough for one token.
  if (!forward(context, ahead_tokens_, LogitRows::kAll, ahead_rows_.data())) return false;
  drafter_.measured(count, seconds_since(start));
  drafter_.stats().passes += 1;
  drafter_.stats().drafted += count - 1;
  ahead_from_ = first + 1;
  num_ahead_ = count;
  return true;
}

Result<const float*> Session::next_row() {
  if (const float* row = row_ahead()) return row;
  const auto total = static_cast<int64_t>(log_.size());
  if (options_.speculation == Speculation::kOff || state_.num_tokens != total - 1) {
    (void)drafter_.propose(log_, 0, options_.speculation);  // Learns from the first token, too.
    TRY(logits());
    return logits_.data();
  }
  TRY_ASSIGN(const bool is_ahead, read_ahead());
  if (is_ahead) return ahead_rows_.data();
  const auto start = std::chrono::steady_clock::now();
  TRY(logits());
  drafter_.measured(1, seconds_since(start));
  return logits_.data();
}

Result<TokenId> Session::sample(const SampleOptions& options) {
  CHECK(!log_.empty());
  TRY_ASSIGN(const float* row, next_row());
  const std::span<const float> candidates(row, logits_.size());
  // Damaged weights: any token would be as good, and sorting needs numbers that have an order.
  if (!all_finite(candidates)) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("the model's logits after {} tokens are not all finite numbers; its "
                             "weights are damaged, or not meant for this precision",
                             log_.size()));
  }
  const TokenId id = sampler_.sample(candidates, options, log_.size());
  const auto total = static_cast<int64_t>(log_.size());
  TRY(push(std::span<const TokenId>(&id, 1)));
  drafter_.observe(id);
  if (!is_ahead()) return id;
  const bool was_guessed = state_.num_tokens > total &&
                           ahead_tokens_[static_cast<size_t>(total - ahead_from_ + 1)] == id;
  if (was_guessed) {
    drafter_.stats().accepted += 1;
  } else {  // What the state has read beyond this place was never said.
    state_.drop_to(total);
    num_ahead_ = 0;
  }
  return id;
}

Result<void> Session::keep_anchor(bool pinned) {
  if (log_.empty()) return {};
  TRY(logits());
  anchors_.add(state_.clone(), logits_, pinned);
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
  state_ = anchor->state.clone();
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
  settle();
  if (logits_at_ > position) logits_at_ = 0;
  TRY(restore_state(position));
  drafter_.cut(log_, position);
  log_.resize(static_cast<size_t>(position));
  anchors_.drop_beyond(position);
  return {};
}

// How many of the first `position` tokens need not be computed again after a rewind to it.
int64_t Session::reach(int64_t position) {
  if (position >= state_.block_start()) return std::min(position, state_.num_tokens);
  const Anchors::Anchor* anchor = anchors_.nearest(position);
  return anchor == nullptr ? 0 : std::min(position, anchor->state.num_tokens);
}

// Before the log becomes `tokens`, with which it shares `common`: parks what would be lost, and
// takes a parked state that is nearer.
void Session::change_log(std::span<const TokenId> tokens, int64_t common) {
  const int64_t kept = reach(common);
  if (state_.num_tokens - kept <= kernels::kLightningBlock) return;
  ParkedStates::Parked left;
  left.log.assign(log_.begin(), log_.begin() + state_.num_tokens);
  left.state = state_.clone();
  if (logits_at_ == left.state.num_tokens) left.logits = logits_;
  std::optional<ParkedStates::Parked> back = parked_.take(tokens, kept);
  parked_.add(std::move(left));
  if (!back) return;
  anchors_.drop_beyond(common);
  drafter_.clear();
  log_ = std::move(back->log);
  state_ = std::move(back->state);
  logits_at_ = back->logits.empty() ? 0 : state_.num_tokens;
  if (!back->logits.empty()) logits_ = std::move(back->logits);
}

Result<int64_t> Session::sync(std::span<const TokenId> tokens) {
  settle();
  const auto common = [&] {
    return std::mismatch(log_.begin(), log_.end(), tokens.begin(), tokens.end()).first -
           log_.begin();
  };
  change_log(tokens, common());
  const int64_t same = common();
  TRY(rewind(same));
  const int64_t kept = num_computed();
  TRY(append(tokens.subspan(static_cast<size_t>(same))));
  return kept;
}

Result<Session> Session::fork() const {
  TRY_ASSIGN(Session copy, open(*model_, *device_, options_));
  copy.state_ = state_.clone();
  copy.log_ = log_;
  copy.logits_ = logits_;
  copy.logits_at_ = logits_at_;
  const auto total = static_cast<int64_t>(log_.size());
  if (copy.state_.num_tokens > total) copy.state_.drop_to(total);
  if (const float* row = row_ahead()) {
    std::copy_n(row, logits_.size(), copy.logits_.begin());
    copy.logits_at_ = total;
  }
  return copy;
}

Result<void> Session::save(const std::string& path) {
  settle();
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
  adopt(std::move(saved));
  return {};
}

void Session::adopt(SavedState saved) {
  CHECK(static_cast<int64_t>(saved.log.size()) == saved.state.num_tokens, saved.log.size(),
        saved.state.num_tokens);
  num_ahead_ = 0;
  drafter_.clear();
  log_ = std::move(saved.log);
  state_ = std::move(saved.state);
  logits_at_ = 0;
  if (!saved.logits.empty()) {
    logits_ = std::move(saved.logits);
    logits_at_ = static_cast<int64_t>(log_.size());
  }
  anchors_.drop_beyond(-1);  // Parked states are of this model, too: they stay.
}

Result<void> Session::save_anchors(const std::string& path, size_t bytes_max) const {
  return engine::save_anchors(path, *model_, log_, anchors_.all(), bytes_max);
}

Result<void> Session::load_anchors(const std::string& path) {
  settle();
  return engine::load_anchors(path, *model_, *device_, log_, state_, &anchors_);
}

}  // namespace levin::engine
