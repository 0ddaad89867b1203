// The token log of a session with the branches that rewinds left: nothing that was once in the log
// is lost, so that every moment of the session can be gone back to.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/tokenizer.h"

namespace levin::agent {

class TokenTree {
 public:
  // A place in the tree: the log that leads to it.
  struct Place {
    size_t segment = 0;
    size_t length = 0;  // Of the whole log.
  };

  Place here() const { return here_; }
  size_t length() const { return here_.length; }
  std::vector<engine::TokenId> log() const;

  void append(const std::vector<engine::TokenId>& ids);
  // CHECKs length <= length().
  void cut(size_t length);
  void go_to(const Place& place) { here_ = place; }

 private:
  // Tokens that follow each other; the parent's up to `begin` come before them.
  struct Segment {
    size_t parent = 0;  // The first one is its own.
    size_t begin = 0;
    std::vector<engine::TokenId> ids;
  };

  std::vector<Segment> segments_ = std::vector<Segment>(1);
  Place here_;
};

}  // namespace levin::agent
