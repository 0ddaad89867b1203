// Anchors: copies of a session's state at positions worth coming back to (message starts), so that
// going back costs no prefill. Bounded in bytes: the least recently used goes first, pinned ones
// stay.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/state.h"

namespace levin::engine {

class Anchors {
 public:
  struct Anchor {
    State state;
    std::vector<float> logits;  // After the last token; empty when they were not computed there.
    bool pinned = false;
    uint64_t last_used = 0;
  };

  explicit Anchors(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Keeps `state`; one that is there at this position is replaced, and stays pinned if it was.
  // Unpinned ones are evicted until all fit; if they cannot, this one is not kept (unless pinned).
  void add(State state, std::vector<float> logits, bool pinned);

  // The one from which `position` is reached with the fewest tokens computed again; null when none
  // helps. It may lie beyond `position`, within the same block.
  const Anchor* nearest(int64_t position);

  // Forgets the least recently used one that is not pinned; false when there is none.
  bool drop_oldest();

  // Forgets those beyond `position`: their tokens are no longer in the log.
  void drop_beyond(int64_t position);

  // Linear states and journals; KV pages are shared with the session and not counted.
  size_t bytes() const;
  size_t count() const { return anchors_.size(); }
  const std::vector<Anchor>& all() const { return anchors_; }

 private:
  void evict();

  size_t bytes_max_;
  uint64_t clock_ = 0;
  std::vector<Anchor> anchors_;
};

}  // namespace levin::engine
