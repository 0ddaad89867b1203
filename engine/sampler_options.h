// How the next token is drawn.
#pragma once

#include <cstdint>
#include <span>

#include "engine/tokenizer.h"

namespace levin::engine {

struct SampleOptions {
  double temperature = 1.0;
  double top_p = 0.95;
  int top_k = 0;     // 0: all.
  double min_p = 0;  // 0: all.
  uint64_t seed = 0;
  std::span<const TokenId> banned;
};

}  // namespace levin::engine
