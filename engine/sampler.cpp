#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace levin::engine {
namespace {

using Candidate = std::pair<float, TokenId>;

// Best first; equal logits by lower id, so that ties fall the same way everywhere.
bool better(const Candidate& a, const Candidate& b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

}  // namespace

double uniform_draw(uint64_t seed, uint64_t position) {
  uint64_t x = seed * 0x9E3779B97F4A7C15u + position + 1;
  for (int round = 0; round < 2; ++round) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
  }
  return static_cast<double>(x >> 11) * 0x1p-53;
}

TokenId Sampler::sample(std::span<const float> logits, const SampleOptions& options,
                        uint64_t position) {
  CHECK(!logits.empty());
  candidates_.clear();
  for (size_t id = 0; id < logits.size(); ++id) {
    const auto token = static_cast<TokenId>(id);
    if (std::find(options.banned.begin(), options.banned.end(), token) == options.banned.end()) {
      candidates_.emplace_back(logits[id], token);
    }
  }
  CHECK(!candidates_.empty(), options.banned.size());
  if (options.temperature <= 0 || options.top_k == 1) {
    return std::min_element(candidates_.begin(), candidates_.end(), better)->second;
  }
  std::sort(candidates_.begin(), candidates_.end(), better);
  if (options.top_k > 0 && static_cast<size_t>(options.top_k) < candidates_.size()) {
    candidates_.resize(static_cast<size_t>(options.top_k));
  }
  const double best = candidates_.front().first;
  double total = 0;
  for (Candidate& candidate : candidates_) {
    candidate.first = static_cast<float>(std::exp((candidate.first - best) / options.temperature));
    total += candidate.first;
  }
  // The best token always stays, whatever the thresholds.
  double kept = 0;
  size_t count = 0;
  while (count < candidates_.size()) {
    if (count > 0 && (kept >= options.top_p * total || candidates_[count].first < options.min_p))
      break;
    kept += candidates_[count++].first;
  }
  double draw = uniform_draw(options.seed, position) * kept;
  for (size_t index = 0; index + 1 < count; ++index) {
    draw -= candidates_[index].first;
    if (draw < 0) return candidates_[index].second;
  }
  return candidates_[count - 1].second;
}

}  // namespace levin::engine
