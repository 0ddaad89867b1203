#include "engine/vocabulary.h"

#include <fmt/format.h>

#include <functional>

#include "base/utf8.h"

namespace levin::engine {
namespace {

uint64_t hash_of(std::string_view bytes) {
  return std::hash<std::string_view>{}(bytes);
}

uint32_t tag_of(uint64_t hash) {
  return static_cast<uint32_t>(hash >> 32);
}

}  // namespace

Result<void> Vocabulary::add(int64_t id, std::string_view bytes, Reach reach) {
  if (id < 0 || id >= kTokenIdEnd) {
    return Error(ErrorCode::kCorrupt, fmt::format("token '{}' has id {}; ids are 0 to {}",
                                                  utf8_sanitize(bytes), id, kTokenIdEnd - 1));
  }
  const auto token = static_cast<TokenId>(id);
  if (contains(token)) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("tokens '{}' and '{}' have the same id {}",
                             utf8_sanitize(this->bytes(token)), utf8_sanitize(bytes), id));
  }
  if (reach == Reach::kBuildable && find(bytes) != kNoToken) {
    return Error(ErrorCode::kCorrupt, fmt::format("token '{}' has two ids, {} and {}",
                                                  utf8_sanitize(bytes), find(bytes), id));
  }
  if (token >= end()) spans_.resize(static_cast<size_t>(token) + 1);
  spans_[static_cast<size_t>(token)] = {arena_.size(), static_cast<uint32_t>(bytes.size()), true};
  arena_.append(bytes);
  if (reach == Reach::kBuildable) {
    if (2 * (slots_used_ + 1) > slots_.size()) grow_slots();
    insert_slot(token);
    ++slots_used_;
  }
  return {};
}

bool Vocabulary::contains(TokenId id) const {
  return id >= 0 && id < end() && spans_[static_cast<size_t>(id)].used;
}

std::string_view Vocabulary::bytes(TokenId id) const {
  if (id < 0 || id >= end()) return {};
  const Span& span = spans_[static_cast<size_t>(id)];
  return std::string_view(arena_).substr(span.begin, span.size);
}

TokenId Vocabulary::find(std::string_view bytes) const {
  if (slots_.empty()) return kNoToken;
  const uint64_t hash = hash_of(bytes);
  const size_t mask = slots_.size() - 1;
  for (size_t index = hash & mask; slots_[index].id != kNoToken; index = (index + 1) & mask) {
    if (slots_[index].tag == tag_of(hash) && this->bytes(slots_[index].id) == bytes) {
      return slots_[index].id;
    }
  }
  return kNoToken;
}

void Vocabulary::insert_slot(TokenId id) {
  const uint64_t hash = hash_of(bytes(id));
  const size_t mask = slots_.size() - 1;
  size_t index = hash & mask;
  while (slots_[index].id != kNoToken) index = (index + 1) & mask;
  slots_[index] = {tag_of(hash), id};
}

void Vocabulary::grow_slots() {
  const std::vector<Slot> old = std::move(slots_);
  slots_.assign(old.empty() ? 1024 : 2 * old.size(), Slot{});
  for (const Slot& slot : old) {
    if (slot.id != kNoToken) insert_slot(slot.id);
  }
}

}  // namespace levin::engine
