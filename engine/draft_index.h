// DraftIndex: where the end of a token log stood before in the same log, for drafts that copy what
// followed there. An agent's replies repeat its context: files that it edits, commands, paths.
// Hash chains over runs of kGram tokens, as in LZ77: appending and cutting cost O(1) a token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/tokenizer.h"

namespace levin::engine {

class DraftIndex {
 public:
  static constexpr int64_t kGram = 3;            // Shorter repetitions say too little.
  static constexpr int64_t kMatchMax = 64;       // Longer matches are not told apart.
  static constexpr int64_t kCandidatesMax = 16;  // The latest places that are compared.
  static constexpr int64_t kLinksMax = 64;       // Chain links walked, collisions included.

  struct Match {
    int64_t next = 0;    // Position of the token that followed; 0: nothing was found.
    int64_t length = 0;  // How many tokens before it equal the end of the log.
  };

  // Indexes what `log` has beyond what is known. What is known must be a beginning of it: see
  // cut().
  void extend(std::span<const TokenId> log);

  // The log was cut to `length` tokens.
  void cut(std::span<const TokenId> log, int64_t length);
  void clear();

  // The longest match of the log's end among the latest candidates, the latest of equals. The log
  // is that of extend().
  Match find(std::span<const TokenId> log) const;

  size_t bytes() const { return (heads_.capacity() + previous_.capacity()) * sizeof(int32_t); }

 private:
  size_t slot_of(std::span<const TokenId> log, int64_t end) const;
  void enlarge(std::span<const TokenId> log);

  // A run is named by the position after it, which is never 0.
  std::vector<int32_t> heads_;     // Of each hash: the latest run; 0: none. Size a power of two.
  std::vector<int32_t> previous_;  // [indexed + 1]: the run before with the same hash.
};

}  // namespace levin::engine
