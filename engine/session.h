// Session: one timeline of tokens and the model state that belongs to it. Tokens are appended to
// the log and computed once, when logits are next asked for; nothing is ever computed twice.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "engine/anchors.h"
#include "engine/drafter.h"
#include "engine/forward.h"
#include "engine/model.h"
#include "engine/parked_states.h"
#include "engine/sampler.h"
#include "engine/state_file.h"

namespace levin::engine {

struct SessionOptions {
  int64_t context_tokens_max = 0;  // 0: the config's max_position_embeddings.
  // Tokens per forward pass: bounds the memory of activations. With 32 experts and two per token,
  // 1024 give each expert 64 rows, enough to make its weights' way through the cache worth it.
  int64_t prefill_chunk_tokens = 1024;
  size_t anchor_bytes_max = size_t{1} << 30;
  size_t parked_bytes_max = size_t{1} << 30;  // States of logs that sync() went away from.
  // Of cached keys and values: kF32 or kBF16, which is half the memory and twice the speed.
  kernels::DType kv_dtype = kernels::DType::kF32;
  // Reading several guessed tokens in one pass of sample(). Changes no token, only the time.
  Speculation speculation = Speculation::kOff;
};

// Not thread-safe: one thread owns a session. The model and device outlive it.
class Session {
 public:
  // Errors: kLimit when memory is short.
  static Result<Session> open(const Model& model, kernels::Device& device,
                              const SessionOptions& options);

  Session(Session&&) = default;
  Session& operator=(Session&&) = default;

  // All tokens so far, whether computed yet or not.
  const std::vector<TokenId>& token_log() const { return log_; }
  // How many of them the state already covers.
  int64_t num_computed() const {
    return std::min(state_.num_tokens, static_cast<int64_t>(log_.size()));
  }

  // Extends the log. Errors: kInvalidArgument for an id outside the vocabulary; kLimit when the
  // context is full. The log is then unchanged.
  Result<void> append(std::span<const TokenId> tokens);

  // Computes what is pending and returns the logits after the last token, [vocab_size]; valid until
  // the next call. CHECKs that the log is not empty. Where memory is short, parked states and
  // anchors that are not pinned are given up first, oldest first. Errors: kLimit (KV memory).
  Result<std::span<const float>> logits();

  // As logits(), for every pending token: [num_pending, vocab_size], appended to *all; on an error
  // only the rows of tokens that were computed.
  Result<void> all_logits(std::vector<float>* all);

  // Draws the next token and appends it to the log; the same one with and without speculation.
  // Errors: as append() and logits(); kCorrupt when a logit is not a finite number.
  Result<TokenId> sample(const SampleOptions& options);

  // Computes what is pending and keeps a copy of the state there, to come back to without prefill.
  // Errors: as logits().
  Result<void> keep_anchor(bool pinned = false);

  // Forgets the tokens from `position` on (at most the log's length). What lies in the current
  // block, or at an anchor, costs nothing; otherwise the tokens after the nearest anchor are
  // computed again when next needed. Errors: kLimit when memory is short; the session is then
  // unchanged.
  Result<void> rewind(int64_t position);

  // Makes the log equal to `tokens`, keeping the longest common beginning; a log that is left for
  // another one is parked with its state, and the way back to it is free. Returns how many tokens
  // were kept with their state. Errors: as append() and rewind().
  Result<int64_t> sync(std::span<const TokenId> tokens);

  // A second timeline from here; KV pages are shared until one side writes. Anchors stay behind.
  // Errors: kLimit.
  Result<Session> fork() const;

  // Computes what is pending and writes log and state to `path` (engine/state_file.h). Errors: kIo,
  // and as logits().
  Result<void> save(const std::string& path);

  // Replaces log and state by those of `path`. Errors: those of load_state(); kLimit when the log
  // is longer than this session's context. The session is then unchanged.
  Result<void> load(const std::string& path);
  // Replaces log and state by ones of this model, wherever they come from.
  void adopt(SavedState saved);

  // Keeps the anchors for a later process, at most `bytes_max` of them; load_anchors() adds those
  // that lie within this session's log, of which all must be computed. Errors: those of
  // engine/anchor_file.h.
  Result<void> save_anchors(const std::string& path, size_t bytes_max) const;
  Result<void> load_anchors(const std::string& path);

  void set_trace(TraceSink trace) { trace_ = std::move(trace); }
  // May lie ahead of the log between two sample() with speculation.
  const State& state() const { return state_; }
  const DraftStats& draft_stats() const { return drafter_.stats(); }

 private:
  Session(const Model& model, kernels::Device& device, const SessionOptions& options)
      : model_(&model),
        device_(&device),
        options_(options),
        anchors_(options.anchor_bytes_max),
        parked_(options.parked_bytes_max) {}
  Result<void> restore_state(int64_t position);
  Result<void> compute(LogitRows rows, float* logits);
  Result<void> push(std::span<const TokenId> tokens);
  bool is_ahead() const { return num_ahead_ > 0; }
  const float* row_ahead() const;
  void settle();
  Result<const float*> next_row();
  Result<bool> read_ahead();
  int64_t reach(int64_t position);
  void change_log(std::span<const TokenId> tokens, int64_t common);

  const Model* model_;
  kernels::Device* device_;
  SessionOptions options_;
  std::vector<TokenId> log_;
  State state_;
  ForwardBuffers buffers_;
  std::vector<float> logits_;  // [vocab_size], after token number logits_at_
  int64_t logits_at_ = 0;      // 0: none.
  Anchors anchors_;
  ParkedStates parked_;
  Sampler sampler_;
  // The last pass with a draft: its logits [num_ahead_, vocab_size] from ahead_from_ tokens on. The
  // state covers the whole draft; it is cut back to what was really drawn when the two part. A
  // draft stays inside its block, where that is free.
  Drafter drafter_;
  std::vector<TokenId> ahead_tokens_;  // [num_ahead_]: what the pass read
  std::vector<float> ahead_rows_;
  int64_t ahead_from_ = 0;
  int64_t num_ahead_ = 0;  // 0: none.
  TraceSink trace_;
};

}  // namespace levin::engine
