// Byte-pair encoding of one piece of text: joins the adjacent pair of lowest rank, again and again.
// Pieces come from the pre-tokenizer; added tokens and text are not known here.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/vocabulary.h"

namespace levin::engine {

// Two adjacent tokens that join into a third. Its rank is its place in the list of merges.
struct Merge {
  TokenId left = kNoToken;
  TokenId right = kNoToken;
  TokenId joined = kNoToken;
};

// Pair of ids -> rank and result. Built once, then read only.
class MergeTable {
 public:
  struct Entry {
    uint64_t pair = kNoPair;
    uint32_t rank = 0;
    TokenId joined = kNoToken;
  };

  MergeTable() : MergeTable(std::span<const Merge>{}) {}
  // A pair that is listed twice has the rank of its last place.
  explicit MergeTable(std::span<const Merge> merges);

  // Null when the two do not join.
  const Entry* find(TokenId left, TokenId right) const;

 private:
  static constexpr uint64_t kNoPair = ~uint64_t{0};

  size_t slot_of(uint64_t pair) const;

  std::vector<Entry> slots_;  // Open addressing, size a power of two, at most half full.
  int shift_ = 0;             // 64 - log2(size).
};

// Const after create(); may be used from many threads.
class Bpe {
 public:
  struct Options {
    bool ignore_merges = false;  // A piece that is itself a token is taken whole.
  };

  // `vocabulary` outlives the result. Errors: kUnsupported when one of the 256 bytes has no token:
  // such a vocabulary cannot spell every text.
  static Result<Bpe> create(const Vocabulary& vocabulary, std::span<const Merge> merges,
                            Options options);

  // Appends the tokens of `piece`. Cost: O(size log size).
  void append(std::string_view piece, std::vector<TokenId>& ids) const;

 private:
  explicit Bpe(const Vocabulary& vocabulary) : vocabulary_(&vocabulary) {}

  void append_short(std::string_view piece, std::vector<TokenId>& ids) const;
  void append_long(std::string_view piece, std::vector<TokenId>& ids) const;
  void find_whole_tokens(Options options);

  const Vocabulary* vocabulary_;
  std::array<TokenId, 256> byte_tokens_{};
  MergeTable merges_;
  // By id: the bytes of this token, as a piece, encode to it alone. Most pieces of real text are
  // such tokens, so that one look-up replaces the merging. False for all while the table is being
  // made.
  std::vector<bool> whole_;
};

}  // namespace levin::engine
