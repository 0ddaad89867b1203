#include "engine/added_tokens.h"

#include "base/check.h"

namespace levin::engine {

AddedTokens::AddedTokens() : nodes_(1) {}

uint32_t AddedTokens::child(uint32_t node, unsigned char byte) const {
  if (node == 0) return root_child_[byte];
  uint32_t found = nodes_[node].first_child;
  while (found != 0 && nodes_[found].byte != byte) found = nodes_[found].next_sibling;
  return found;
}

void AddedTokens::add(std::string_view content, TokenId id, bool special) {
  CHECK(!content.empty());
  uint32_t node = 0;
  for (const char character : content) {
    const auto byte = static_cast<unsigned char>(character);
    uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      Node made;
      made.byte = byte;
      if (node == 0) {
        root_child_[byte] = next;
      } else {
        made.next_sibling = nodes_[node].first_child;
        nodes_[node].first_child = next;
      }
      nodes_.push_back(made);
    }
    node = next;
  }
  nodes_[node].id = id;
  nodes_[node].special = special;
}

AddedTokens::Match AddedTokens::find(std::string_view text, size_t from,
                                     SpecialTokens special) const {
  Match match;
  if (empty()) return match;
  for (size_t begin = from; begin < text.size(); ++begin) {
    uint32_t node = root_child_[static_cast<unsigned char>(text[begin])];
    for (size_t end = begin + 1; node != 0; ++end) {
      const bool wanted = !nodes_[node].special || special == SpecialTokens::kRecognise;
      if (nodes_[node].id != kNoToken && wanted) match = {begin, end - begin, nodes_[node].id};
      if (end == text.size()) break;
      node = child(node, static_cast<unsigned char>(text[end]));
    }
    if (match.size != 0) break;
  }
  return match;
}

}  // namespace levin::engine
