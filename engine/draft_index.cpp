#include "engine/draft_index.h"

#include <algorithm>

#include "base/check.h"

namespace levin::engine {
namespace {

constexpr size_t kSlotsMin = 1024;
constexpr size_t kRoomTokens = 8192;

}  // namespace

size_t DraftIndex::slot_of(std::span<const TokenId> log, int64_t end) const {
  uint64_t hash = 0;
  for (int64_t i = end - kGram; i < end; ++i) {
    hash = (hash + static_cast<uint32_t>(log[static_cast<size_t>(i)])) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return static_cast<size_t>(hash) & (heads_.size() - 1);
}

void DraftIndex::enlarge(std::span<const TokenId> log) {
  heads_.assign(std::max(kSlotsMin, heads_.size() * 2), 0);
  for (size_t end = kGram; end < previous_.size(); ++end) {
    int32_t& head = heads_[slot_of(log, static_cast<int64_t>(end))];
    previous_[end] = head;
    head = static_cast<int32_t>(end);
  }
}

void DraftIndex::extend(std::span<const TokenId> log) {
  CHECK(log.size() < size_t{INT32_MAX}, log.size());
  if (previous_.empty()) previous_.push_back(0);
  CHECK(previous_.size() <= log.size() + 1, previous_.size(), log.size());
  // A prompt brings room for the reply after it, so that decoding allocates nothing.
  if (log.size() > previous_.size()) {
    previous_.reserve(std::max(log.size() + kRoomTokens, previous_.size() + previous_.size() / 2));
    while (heads_.size() <= log.size() + kRoomTokens) enlarge(log);
  }
  while (previous_.size() <= log.size()) {
    if (previous_.size() >= heads_.size()) enlarge(log);
    const size_t end = previous_.size();
    previous_.push_back(0);
    if (end < static_cast<size_t>(kGram)) continue;
    int32_t& head = heads_[slot_of(log, static_cast<int64_t>(end))];
    previous_[end] = head;
    head = static_cast<int32_t>(end);
  }
}

void DraftIndex::cut(std::span<const TokenId> log, int64_t length) {
  // Newest first: each is the head of its chain then.
  while (static_cast<int64_t>(previous_.size()) > length + 1) {
    const size_t end = previous_.size() - 1;
    if (end >= static_cast<size_t>(kGram)) {
      heads_[slot_of(log, static_cast<int64_t>(end))] = previous_[end];
    }
    previous_.pop_back();
  }
}

void DraftIndex::clear() {
  heads_.clear();
  previous_.clear();
}

DraftIndex::Match DraftIndex::find(std::span<const TokenId> log) const {
  Match best;
  const auto total = static_cast<int64_t>(log.size());
  if (total < kGram || previous_.size() != log.size() + 1) return best;
  int64_t end = previous_[static_cast<size_t>(total)];
  int64_t candidates = 0;
  for (int64_t link = 0; end != 0 && link < kLinksMax && candidates < kCandidatesMax; ++link) {
    const int64_t most = std::min(end, kMatchMax);
    int64_t length = 0;
    while (length < most && log[static_cast<size_t>(end - 1 - length)] ==
                                log[static_cast<size_t>(total - 1 - length)]) {
      ++length;
    }
    if (length >= kGram) ++candidates;  // Hashes may collide: only what is really equal counts.
    if (length >= kGram && length > best.length) best = {end, length};
    if (best.length == kMatchMax) break;
    end = previous_[static_cast<size_t>(end)];
  }
  return best;
}

}  // namespace levin::engine
