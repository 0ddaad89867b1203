#include "engine/anchors.h"

#include <algorithm>

namespace levin::engine {

void Anchors::add(State state, std::vector<float> logits, bool pinned) {
  const int64_t position = state.num_tokens;
  const auto same = std::find_if(anchors_.begin(), anchors_.end(), [&](const Anchor& anchor) {
    return anchor.state.num_tokens == position;
  });
  if (same != anchors_.end()) {
    pinned = pinned || same->pinned;
    anchors_.erase(same);
  }
  anchors_.push_back(Anchor{std::move(state), std::move(logits), pinned, ++clock_});
  evict();
}

void Anchors::evict() {
  while (bytes() > bytes_max_ && drop_oldest()) {
  }
}

bool Anchors::drop_oldest() {
  auto oldest = anchors_.end();
  for (auto anchor = anchors_.begin(); anchor != anchors_.end(); ++anchor) {
    if (anchor->pinned) continue;
    if (oldest == anchors_.end() || anchor->last_used < oldest->last_used) oldest = anchor;
  }
  if (oldest == anchors_.end()) return false;
  anchors_.erase(oldest);
  return true;
}

const Anchors::Anchor* Anchors::nearest(int64_t position) {
  Anchor* best = nullptr;
  int64_t best_reach = -1;
  for (Anchor& anchor : anchors_) {
    if (anchor.state.block_start() > position) continue;
    const int64_t reach = std::min(anchor.state.num_tokens, position);
    if (reach > best_reach) {
      best = &anchor;
      best_reach = reach;
    }
  }
  if (best != nullptr) best->last_used = ++clock_;
  return best;
}

void Anchors::drop_beyond(int64_t position) {
  std::erase_if(anchors_, [&](const Anchor& anchor) { return anchor.state.num_tokens > position; });
}

size_t Anchors::bytes() const {
  size_t total = 0;
  for (const Anchor& anchor : anchors_) {
    total += anchor.state.linear_bytes() + anchor.logits.size() * sizeof(float);
  }
  return total;
}

}  // namespace levin::engine
