// ParkedStates: where a session went away from a log, to read another one. Coming back costs no
// prefill. Bounded in bytes; the least recently used goes first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/state.h"
#include "engine/tokenizer.h"

namespace levin::engine {

class ParkedStates {
 public:
  struct Parked {
    std::vector<TokenId> log;  // [state.num_tokens]
    State state;
    std::vector<float> logits;  // After the last token; may be empty.
    uint64_t last_used = 0;

    size_t bytes() const;
    // How many tokens of `log_wanted` this state can stand for. What lies in its block is dropped
    // for free.
    int64_t reach(std::span<const TokenId> log_wanted) const;
  };

  explicit ParkedStates(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Those whose log is a beginning of this one are replaced by it. One that does not fit is not
  // kept.
  void add(Parked parked);

  // Takes out the one that reaches furthest into `log`, if further than `least` tokens.
  std::optional<Parked> take(std::span<const TokenId> log, int64_t least);

  // Forgets the least recently used one; false when there is none.
  bool drop_oldest();

  // KV pages count in full, though branches of one log share them.
  size_t bytes() const;
  size_t count() const { return parked_.size(); }

 private:
  size_t bytes_max_;
  uint64_t clock_ = 0;
  std::vector<Parked> parked_;
};

}  // namespace levin::engine
