// DraftAlignment: where in the log the text stands that is being written again. A match of the
// log's end (draft_index.h) is lost at each change that a reply makes to what it copies; the copy
// itself mostly goes on behind it. Replaced tokens are taken one for one; left out or added ones
// are found where a token within a short window comes true.
#pragma once

#include <cstdint>
#include <span>

#include "engine/tokenizer.h"

namespace levin::engine {

class DraftAlignment {
 public:
  // How far behind a change the copy is looked for, and after how many tokens it is given up.
  static constexpr int64_t kWindow = 16;
  static constexpr int64_t kLostMax = 24;

  // Reads what `log` has beyond what is known. What is known must be a beginning of it: see cut().
  void follow(std::span<const TokenId> log);

  // The next token is expected to equal the one at position `next` (1 .. the log's length), after
  // `run` tokens that did.
  void adopt(int64_t next, int64_t run);

  // The log was cut to `length` tokens.
  void cut(int64_t length);
  void clear() { *this = DraftAlignment(); }

  // Position of the token that is expected next; 0: none.
  int64_t next() const { return next_; }
  // How many tokens came true since the last change; 0 right behind it.
  int64_t run() const { return run_; }

 private:
  void step(std::span<const TokenId> log, TokenId token);

  int64_t seen_ = 0;
  int64_t next_ = 0;
  int64_t run_ = 0;
  // Since a change: the place of the first token that did not come true, tokens written since.
  int64_t lost_at_ = 0;
  int64_t lost_ = 0;
};

}  // namespace levin::engine
