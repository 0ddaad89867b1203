// How `levin bench` comes to a deep context: by reading tokens, from states that an earlier
// measurement kept, or by filling the cache with copies where only the speed of decoding counts.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/session.h"

namespace levin::agent {

// Token `position` of an endless text without repetition: what is in it does not matter for speed,
// but experts must be chosen evenly.
engine::TokenId bench_token(int64_t position, int64_t vocab);

// Appends the next `count` tokens of that text. Errors: those of Session::append().
Result<void> extend_by_bench_text(engine::Session& session, int64_t count, int64_t vocab);

struct DepthOptions {
  std::string states_folder;  // Where states are kept and looked for; empty: nowhere.
  double seconds_max = 0;     // To come from one depth to the next; 0: as long as it takes.
  // Past the first page the KV cache holds copies of that page instead of computed rows, and the
  // linear states are those of the first page. As much is read per token as at the true depth.
  bool is_synthetic = false;
};

// Errors: kInvalidArgument for a depth that is no whole number of KV pages.
Result<void> check_synthetic_depth(int64_t depth);

// Brings `session`, which holds a beginning of the text, to `depth` tokens, all computed. With a
// states folder the deepest kept state that helps is taken first, and the way is saved about every
// minute, so that a killed measurement goes on where it was. Stops short of `depth` when the time
// is up. Errors: those of Session and check_synthetic_depth().
Result<void> grow_to(engine::Session& session, const engine::Model& model, kernels::Device& device,
                     const engine::SessionOptions& options, int64_t depth, const DepthOptions& how);

}  // namespace levin::agent
