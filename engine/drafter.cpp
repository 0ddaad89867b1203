#include "engine/drafter.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace levin::engine {
namespace {

// How fast the past is forgotten: about the last 50 guesses count.
constexpr double kForget = 0.98;
// A gain below this is lost in the noise of the estimates.
constexpr double kLeastGain = 1.05;
// Before a pass over several tokens was measured: each further token costs this share of the first.
// Between a dense model that is bound by memory (nearly 0) and one bound by arithmetic (1).
constexpr double kCostPrior = 0.3;

size_t acceptance_class(int64_t length) {
  const auto width =
      static_cast<int>(std::bit_width(static_cast<uint64_t>(length)));  // 3: 2, 4-7: 3, 8-15: 4 ...
  return static_cast<size_t>(std::clamp(width - 2, 0, 4));
}

size_t aligned_class(int64_t run) {
  return std::min<size_t>(static_cast<size_t>(std::bit_width(static_cast<uint64_t>(run))), 6);
}

size_t cost_class(int64_t num_tokens) {
  return static_cast<size_t>(std::bit_width(static_cast<uint64_t>(num_tokens - 1)));
}

}  // namespace

double Drafter::acceptance(int64_t length) const {
  const Acceptance& seen = acceptance_[acceptance_class(length)];
  return seen.hits / seen.trials;
}

double Drafter::aligned_acceptance(int64_t run) const {
  const Acceptance& seen = aligned_[aligned_class(run)];
  return seen.hits / seen.trials;
}

// Of guess number `guess` where all before it came true.
double Drafter::chance(int64_t guess) const {
  const double aligned = aligned_acceptance(run_ + guess);
  return match_length_ == 0 ? aligned : std::max(aligned, acceptance(match_length_ + guess));
}

void Drafter::measured(int64_t num_tokens, double seconds) {
  CHECK(num_tokens >= 1, num_tokens);
  const size_t size = cost_class(num_tokens);
  if (size >= costs_.size()) return;
  Cost& cost = costs_[size];
  const auto tokens = static_cast<double>(num_tokens);
  if (cost.tokens == 0) {
    cost = {tokens, seconds};
    return;
  }
  // Neighbours on the machine only ever add time: what is fast is believed sooner.
  const double weight = seconds / tokens < cost.seconds / cost.tokens ? 0.5 : 0.1;
  cost.seconds += weight * (seconds - cost.seconds);
  cost.tokens += weight * (tokens - cost.tokens);
}

// Straight lines between what was measured.
double Drafter::relative_cost(int64_t num_tokens) const {
  const Cost& one = costs_[0];
  if (one.tokens == 0) return 1 + kCostPrior * static_cast<double>(num_tokens - 1);
  const auto wanted = static_cast<double>(num_tokens);
  double from_tokens = 1;
  double from_cost = 1;
  double slope = kCostPrior;
  for (size_t size = 1; size < costs_.size(); ++size) {
    const Cost& cost = costs_[size];
    if (cost.tokens == 0) continue;
    const double relative = cost.seconds / one.seconds;
    slope = std::max(0.0, (relative - from_cost) / (cost.tokens - from_tokens));
    if (wanted <= cost.tokens) break;
    from_tokens = cost.tokens;
    from_cost = relative;
  }
  return std::max(1.0, from_cost + slope * (wanted - from_tokens));
}

int64_t Drafter::best_length(int64_t limit) const {
  double best_rate = kLeastGain;  // Of plain steps: 1.
  int64_t best = 0;
  double all_so_far = 1;
  double expected = 1;  // The pass gives one token in any case.
  for (int64_t length = 1; length <= limit; ++length) {
    all_so_far *= chance(length - 1);
    expected += all_so_far;
    const double rate = expected / relative_cost(length + 1);
    if (rate > best_rate) {
      best_rate = rate;
      best = length;
    }
  }
  return best;
}

// Finds where the next guesses stand: alignment_.next(). False: nowhere.
bool Drafter::look_up(std::span<const TokenId> log) {
  index_.extend(log);
  alignment_.follow(log);
  const DraftIndex::Match match = index_.find(log);
  const bool is_other = match.length > 0 && match.next != alignment_.next();
  if (is_other &&
      (alignment_.next() == 0 || acceptance(match.length) > aligned_acceptance(alignment_.run()))) {
    alignment_.adopt(match.next, match.length);
  }
  match_length_ = match.next == alignment_.next() ? match.length : 0;
  run_ = alignment_.run();
  return alignment_.next() != 0;
}

std::span<const TokenId> Drafter::propose(std::span<const TokenId> log, int64_t limit,
                                          Speculation mode) {
  guesses_.reserve(kDraftMax);
  guesses_.clear();
  next_guess_ = 0;
  if (mode == Speculation::kOff) return {};
  if (!look_up(log)) return {};
  limit = std::min(limit, kDraftMax);
  const int64_t count = mode == Speculation::kAlways ? limit : best_length(limit);
  // One guess is made even if none is tried: whether it comes true costs nothing to see. A match
  // that runs into the end of the log goes on in its own copy.
  for (int64_t i = 0; i < std::max(count, int64_t{1}); ++i) {
    const auto at = static_cast<size_t>(alignment_.next() + i);
    guesses_.push_back(at < log.size() ? log[at] : guesses_[at - log.size()]);
  }
  return std::span<const TokenId>(guesses_).first(static_cast<size_t>(std::max<int64_t>(count, 0)));
}

void Drafter::observe(TokenId drawn) {
  if (next_guess_ >= guesses_.size()) return;
  const bool hit = guesses_[next_guess_] == drawn;
  const auto learn = [&](Acceptance& seen) {
    seen.hits = seen.hits * kForget + (hit ? 1 : 0);
    seen.trials = seen.trials * kForget + 1;
  };
  const auto guess = static_cast<int64_t>(next_guess_);
  if (match_length_ > 0) learn(acceptance_[acceptance_class(match_length_ + guess)]);
  learn(aligned_[aligned_class(run_ + guess)]);
  next_guess_ = hit ? next_guess_ + 1 : guesses_.size();
}

}  // namespace levin::engine
