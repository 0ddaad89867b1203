// Vocabulary: the bytes of every token id, and the ids of the byte strings that BPE can build.
// Knows nothing of merges, text or files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/tokenizer.h"

namespace levin::engine {

constexpr TokenId kNoToken = -1;

// Ids at or above this are refused: the largest public vocabularies hold about 2^18 tokens, and the
// table below takes memory for each id up to the largest.
constexpr TokenId kTokenIdEnd = 1 << 22;

class Vocabulary {
 public:
  // Only `kBuildable` tokens are found by find(); added tokens are matched elsewhere.
  enum class Reach { kBuildable, kNamedOnly };

  // Errors: kCorrupt for an id out of range, an id in use, or (buildable) bytes in use.
  Result<void> add(int64_t id, std::string_view bytes, Reach reach);

  // Empty for ids that name nothing. Valid until the next add().
  std::string_view bytes(TokenId id) const;
  bool contains(TokenId id) const;
  // The buildable token with exactly these bytes, or kNoToken.
  TokenId find(std::string_view bytes) const;
  // One more than the largest id in use.
  TokenId end() const { return static_cast<TokenId>(spans_.size()); }

 private:
  struct Span {
    size_t begin = 0;
    uint32_t size = 0;
    bool used = false;
  };
  struct Slot {
    uint32_t tag = 0;  // High half of the hash: spares most comparisons of bytes.
    TokenId id = kNoToken;
  };

  void insert_slot(TokenId id);
  void grow_slots();

  std::string arena_;
  std::vector<Span> spans_;  // By id.
  std::vector<Slot> slots_;  // Open addressing, size a power of two, at most half full.
  size_t slots_used_ = 0;
};

}  // namespace levin::engine
