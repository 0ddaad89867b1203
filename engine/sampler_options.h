// How the next token is drawn. Plain data.
#pragma once

#include <cstdint>
#include <span>

#include "engine/tokenizer.h"

namespace levin::engine {

struct SampleOptions {
  double temperature = 1.0;  // 0: greedy, the lowest id among equals.
  double top_p = 0.95;       // Smallest set of best tokens whose probability reaches this; 1: all.
  int top_k = 0;             // At most so many tokens; 0: all.
  double min_p = 0.0;        // Drop tokens below this share of the best one's probability.
  uint64_t seed = 0;         // With the position it fixes the draw: same seed, same text.
  std::span<const TokenId> banned = {};
};

}  // namespace levin::engine
