// The measurements of `levin bench`: speed at growing depths, and what turns of a conversation
// cost.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

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
};

struct BenchSizes {
  std::vector<int64_t> depths;  // Ascending.
  int64_t prefill_tokens = 512;
  int64_t decode_tokens = 64;
};

// Measures at each depth; the session grows from depth to depth and is forked for each figure.
// Errors: those of Session.
Result<std::vector<BenchFigure>> measure_depths(
    const engine::Model& model, kernels::Device& device, const engine::SessionOptions& options,
    const BenchSizes& sizes, const std::function<void(const BenchFigure&)>& on_figure);

// What a further turn of `new_tokens` costs after `shared_tokens`: milliseconds to its first token.
struct TurnFigure {
  int64_t shared_tokens = 0;
  int64_t new_tokens = 0;
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
