// Drafter: how many tokens to guess ahead, and which. The guesses come from the log itself, from
// where its end stood before (draft_index.h) or from where a copy goes on behind a change
// (draft_alignment.h); how far they are trusted, from how often they came true and from what passes
// over several tokens were seen to cost. It decides about time only, never about what is said: each
// token is still drawn from its own logits.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/draft_alignment.h"
#include "engine/draft_index.h"

namespace levin::engine {

enum class Speculation : uint8_t {
  kOff,
  kWherePays,  // Where measured acceptance and cost promise a gain.
  kAlways      // Whenever anything was found: for tests.
};

struct DraftStats {
  int64_t passes = 0;    // Passes that carried a draft.
  int64_t drafted = 0;   // Tokens guessed in them.
  int64_t accepted = 0;  // Of those, the ones that were drawn.
};

class Drafter {
 public:
  static constexpr int64_t kDraftMax = 48;

  // The guesses for the tokens after `log`, at most `limit`; empty where no gain is expected. Valid
  // until the next call.
  std::span<const TokenId> propose(std::span<const TokenId> log, int64_t limit, Speculation mode);

  // A token was drawn. Learns from it whether it was guessed, in a pass or not.
  void observe(TokenId drawn);

  // A pass over `num_tokens` tokens took so long.
  void measured(int64_t num_tokens, double seconds);

  // Takes part in a log that is cut, or exchanged.
  void cut(std::span<const TokenId> log, int64_t length) {
    index_.cut(log, length);
    alignment_.cut(length);
  }
  void clear() {
    index_.clear();
    alignment_.clear();
  }

  const DraftStats& stats() const { return stats_; }
  DraftStats& stats() { return stats_; }

  // What a pass over `num_tokens` tokens is expected to take, in those of one token.
  double relative_cost(int64_t num_tokens) const;
  // The probability that a guess after a match of `length` comes true.
  double acceptance(int64_t length) const;
  // The same where `run` tokens of a copy came true since its last change.
  double aligned_acceptance(int64_t run) const;

 private:
  bool look_up(std::span<const TokenId> log);
  double chance(int64_t guess) const;
  int64_t best_length(int64_t limit) const;

  struct Acceptance {
    double hits;
    double trials;
  };
  struct Cost {
    double tokens = 0;  // 0: not measured yet.
    double seconds = 0;
  };
  static constexpr size_t kCostSizes = 7;  // 1, 2, 3-4, 5-8, 9-16, 17-32, 33-64 tokens.

  DraftIndex index_;
  DraftAlignment alignment_;
  std::vector<TokenId> guesses_;
  size_t next_guess_ = 0;     // Which of them observe() looks at.
  int64_t match_length_ = 0;  // Of the first guess; 0: it follows a change.
  int64_t run_ = 0;           // As DraftAlignment::run() at the first guess.
  // By length of the match: 3, 4-7, 8-15, 16-31, 32 and more. Guesses before any was tried.
  std::array<Acceptance, 5> acceptance_ = {{{1, 3}, {2, 4}, {3, 4}, {3.5, 4}, {3.8, 4}}};
  // By run: 0, 1, 2-3, 4-7, 8-15, 16-31, 32 and more.
  std::array<Acceptance, 7> aligned_ = {
      {{2, 3}, {2.5, 3}, {3, 4}, {3.5, 4}, {3.8, 4}, {3.8, 4}, {3.8, 4}}};
  std::array<Cost, kCostSizes> costs_;
  DraftStats stats_;
};

}  // namespace levin::engine
