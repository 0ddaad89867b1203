// Sampler: logits -> one token.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/sampler_options.h"

namespace levin::engine {

class Sampler {
 public:
  // Draws from `logits` ([vocab_size], finite). The draw depends only on the options, the logits
  // and `position` (the index that the token will have in the log), so that a run can be repeated
  // and a resumed one goes on as an unbroken one. Order: banned, temperature, top_k, top_p, min_p.
  TokenId sample(std::span<const float> logits, const SampleOptions& options, uint64_t position);

 private:
  std::vector<std::pair<float, TokenId>>
      candidates_;  // Kept between calls: no allocation per token.
};

// A number in [0, 1) that depends on both arguments only (splitmix64 of their mix).
double uniform_draw(uint64_t seed, uint64_t position);

}  // namespace levin::engine
