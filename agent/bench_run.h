// The measurements of `levin bench`: speed at growing depths, and what turns of a conversation
// cost.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/bench_states.h"
#include "base/result.h"
#include "engine/session.h"

namespace levin::agent {

struct BenchFigure {
  int64_t depth = 0;  // Tokens before the measured ones.
  int threads = 1;
  double prefill_tps = 0;  // Tokens a second, best of kBenchRepeats
  double prefill_median_tps = 0;
  double decode_tps = 0;         // 1 / best mean over a quarter of the tokens
  double decode_median_tps = 0;  // 1 / median of a token
  double ttft_ms = 0;            // From the request to its first token: the median prefill.
  uint64_t kv_bytes = 0;
  uint64_t state_bytes = 0;  // Linear states and journals.
  uint64_t rss_bytes = 0;
  bool is_synthetic = false;  // The context was filled, not read (DepthOptions).
};

struct BenchSizes {
  std::vector<int64_t> depths;  // Ascending.
  int64_t prefill_tokens = 512;
  int64_t decode_tokens = 64;
  DepthOptions how;
};

// Measures at each depth; the session grows from depth to depth and is forked for each figure. When
// the time to come to a depth is up, the last figure is that of the depth that was reached.
// Errors: those of Session and grow_to().
Result<std::vector<BenchFigure>> measure_depths(
    const engine::Model& model, kernels::Device& device, const engine::SessionOptions& options,
    const BenchSizes& sizes, const std::function<void(const BenchFigure&)>& on_figure);

// What a further turn of `new_tokens` costs after `shared_tokens`: milliseconds to its first token.
struct TurnFigure {
  int64_t shared_tokens = 0;
  int64_t new_tokens = 0;
  double alone_ms = 0;    // As many tokens without anything before them.
  double cold_ms = 0;     // Everything prefilled.
  double warm_ms = 0;     // The session is there.
  double resumed_ms = 0;  // The state comes from a file, reading it included.
  double save_ms = 0;
  uint64_t file_bytes = 0;
  bool equal = false;  // The three gave the same logits, bit for bit.
};
Result<TurnFigure> measure_turn(const engine::Model& model, kernels::Device& device,
                                const engine::SessionOptions& options, int64_t shared_tokens,
                                int64_t new_tokens, const std::string& folder);

// What going back and forth in a conversation of `shared_tokens` costs: medians in milliseconds,
// and how many tokens had to be computed again.
struct StateFigure {
  uint64_t bytes = 0;     // Linear states and journals: what a checkpoint holds of its own.
  double take_ms = 0;     // Session::keep_anchor().
  double next_ms = 0;     // What the next token costs more than others: copies on writing.
  double restore_ms = 0;  // Session::rewind() to the checkpoint from 300 tokens behind it.
  double fork_ms = 0;
  int64_t again_diverged = 0;  // Another text from the checkpoint on.
  int64_t again_switched = 0;  // Another conversation and back.
};
Result<StateFigure> measure_state(const engine::Model& model, kernels::Device& device,
                                  const engine::SessionOptions& options, int64_t shared_tokens);

// What reading ahead gains where a reply repeats its context, as edits do: a file of `file_tokens`
// is written out again with every 32nd token changed. The text is given, so that any weights do;
// the passes, their drafts and what is kept of them are those of decoding.
struct SpeculationFigure {
  double plain_tps = 0;
  double drafted_tps = 0;
  engine::DraftStats drafts;
};
Result<SpeculationFigure> measure_speculation(const engine::Model& model, kernels::Device& device,
                                              const engine::SessionOptions& options,
                                              int64_t file_tokens);

// Bytes of this process in memory now, and at most so far. 0 where /proc does not tell.
uint64_t resident_bytes();
uint64_t peak_resident_bytes();

}  // namespace levin::agent
