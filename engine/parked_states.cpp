#include "engine/parked_states.h"

#include <algorithm>

namespace levin::engine {

size_t ParkedStates::Parked::bytes() const {
  return state.linear_bytes() + state.kv_bytes() + logits.size() * sizeof(float) +
         log.size() * sizeof(TokenId);
}

int64_t ParkedStates::Parked::reach(std::span<const TokenId> log_wanted) const {
  const auto difference =
      std::mismatch(log.begin(), log.end(), log_wanted.begin(), log_wanted.end());
  const int64_t common = difference.first - log.begin();
  return common >= state.block_start() ? common : 0;
}

void ParkedStates::add(Parked parked) {
  parked.last_used = ++clock_;
  std::erase_if(parked_, [&](const Parked& old) {
    return old.log.size() <= parked.log.size() &&
           std::equal(old.log.begin(), old.log.end(), parked.log.begin());
  });
  parked_.push_back(std::move(parked));
  while (bytes() > bytes_max_) drop_oldest();
}

bool ParkedStates::drop_oldest() {
  const auto oldest =
      std::min_element(parked_.begin(), parked_.end(),
                       [](const Parked& a, const Parked& b) { return a.last_used < b.last_used; });
  if (oldest == parked_.end()) return false;
  parked_.erase(oldest);
  return true;
}

std::optional<ParkedStates::Parked> ParkedStates::take(std::span<const TokenId> log,
                                                       int64_t least) {
  auto best = parked_.end();
  for (auto parked = parked_.begin(); parked != parked_.end(); ++parked) {
    const int64_t reach = parked->reach(log);
    if (reach <= least) continue;
    least = reach;
    best = parked;
  }
  if (best == parked_.end()) return std::nullopt;
  Parked taken = std::move(*best);
  parked_.erase(best);
  return taken;
}

size_t ParkedStates::bytes() const {
  size_t total = 0;
  for (const Parked& parked : parked_) total += parked.bytes();
  return total;
}

}  // namespace levin::engine
