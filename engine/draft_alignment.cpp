#include "engine/draft_alignment.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace levin::engine {
namespace {

// Until so many tokens came true, one that did not belongs to the change before them.
constexpr int64_t kSettled = 2;

}  // namespace

void DraftAlignment::follow(std::span<const TokenId> log) {
  const auto total = static_cast<int64_t>(log.size());
  CHECK(seen_ <= total, seen_, total);
  if (next_ == 0) seen_ = total;
  for (; seen_ < total; ++seen_) step(log, log[static_cast<size_t>(seen_)]);
}

void DraftAlignment::step(std::span<const TokenId> log, TokenId token) {
  if (next_ == 0) return;
  if (log[static_cast<size_t>(next_)] == token) {
    ++next_;
    ++run_;
    return;
  }
  if (run_ >= kSettled || lost_ == 0) {
    lost_at_ = next_;
    lost_ = 0;
  }
  run_ = 0;
  if (++lost_ > kLostMax) {
    next_ = 0;
    return;
  }
  // As if each token had been replaced by one; else after the nearest place where this one stands.
  const int64_t replaced = std::min(lost_at_ + lost_ - 1, seen_ - 1);
  int64_t nearest = kWindow + kLostMax;
  next_ = replaced + 1;
  const int64_t end = std::min(replaced + kWindow, seen_);
  for (int64_t at = lost_at_; at < end; ++at) {
    const int64_t distance = std::abs(at - replaced);
    if (log[static_cast<size_t>(at)] != token || distance >= nearest) continue;
    nearest = distance;
    next_ = at + 1;
    run_ = 1;
  }
}

void DraftAlignment::adopt(int64_t next, int64_t run) {
  CHECK(next >= 1, next);
  CHECK(next <= seen_, next, seen_);
  next_ = next;
  run_ = run;
  lost_ = 0;
}

void DraftAlignment::cut(int64_t length) {
  if (seen_ <= length) return;
  clear();
  seen_ = length;
}

}  // namespace levin::engine
