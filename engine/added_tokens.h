// Added tokens: strings that are cut out of the text before any BPE. One instance holds those that
// are looked for at one stage (in the raw text, or in the normalised text).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/tokenizer.h"
#include "engine/vocabulary.h"

namespace levin::engine {

// Bounds what a text full of beginnings of a token can cost: text size times this. The longest one
// in the embedded model has about 350 bytes.
constexpr size_t kAddedTokenBytesMax = 4096;

class AddedTokens {
 public:
  struct Match {
    size_t begin = 0;
    size_t size = 0;  // 0: nothing found.
    TokenId id = kNoToken;
  };

  AddedTokens();

  // `content` is not empty; the caller bounds it. The last of equal ones wins.
  void add(std::string_view content, TokenId id, bool special);

  // The first match at or after `from`, the longest one there; special tokens only if asked for.
  Match find(std::string_view text, size_t from, SpecialTokens special) const;

  bool empty() const { return nodes_.size() == 1; }

 private:
  // A node of a byte trie. Children form a list: few nodes have more than a handful.
  struct Node {
    uint32_t first_child = 0;  // 0, the root, stands for "none".
    uint32_t next_sibling = 0;
    TokenId id = kNoToken;
    unsigned char byte = 0;
    bool special = false;
  };

  uint32_t child(uint32_t node, unsigned char byte) const;

  std::vector<Node> nodes_;                 // [0] is the root.
  std::array<uint32_t, 256> root_child_{};  // The root's children by byte; its list stays empty.
};

}  // namespace levin::engine
