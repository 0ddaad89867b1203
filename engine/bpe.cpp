#include "engine/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "base/check.h"
#include "engine/byte_alphabet.h"

namespace levin::engine {
namespace {

constexpr uint32_t kNoRank = std::numeric_limits<uint32_t>::max();

// Up to here a scan of an array beats a heap; typical pieces have 1 to 12 bytes.
constexpr size_t kShortPieceBytesMax = 64;

// Positions of append_long are 32 bits wide; longer pieces are encoded in parts of this size.
constexpr size_t kPieceBytesMax = size_t{1} << 30;

uint64_t pair_of(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// A symbol of the piece being encoded and the merge that would join it with the next one.
struct Part {
  TokenId id = kNoToken;
  uint32_t rank = kNoRank;  // kNoRank: does not join with the next one, or is the last.
  TokenId joined = kNoToken;
};

void set_merge(Part& part, const MergeTable::Entry* merge) {
  part.rank = merge != nullptr ? merge->rank : kNoRank;
  part.joined = merge != nullptr ? merge->joined : kNoToken;
}

// A Part in a doubly linked list over positions; a joined symbol lives at its first position.
constexpr uint32_t kNoPosition = std::numeric_limits<uint32_t>::max();
struct Node {
  Part part;
  uint32_t previous = kNoPosition;
  uint32_t next = kNoPosition;
};

}  // namespace

MergeTable::MergeTable(std::span<const Merge> merges) {
  const size_t size = std::bit_ceil(std::max<size_t>(2 * merges.size(), 2));
  shift_ = 64 - std::countr_zero(size);
  slots_.resize(size);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t pair = pair_of(merges[rank].left, merges[rank].right);
    slots_[slot_of(pair)] = {pair, static_cast<uint32_t>(rank), merges[rank].joined};
  }
}

size_t MergeTable::slot_of(uint64_t pair) const {
  // Multiplying by 2^64 / golden ratio spreads neighbouring ids over the high bits.
  size_t slot = (pair * 0x9E3779B97F4A7C15u) >> shift_;
  while (slots_[slot].pair != kNoPair && slots_[slot].pair != pair) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

const MergeTable::Entry* MergeTable::find(TokenId left, TokenId right) const {
  const Entry& entry = slots_[slot_of(pair_of(left, right))];
  return entry.pair == kNoPair ? nullptr : &entry;
}

Result<Bpe> Bpe::create(const Vocabulary& vocabulary, std::span<const Merge> merges,
                        Options options) {
  CHECK(merges.size() < kNoRank, merges.size());
  Bpe bpe(vocabulary);
  for (size_t byte = 0; byte < bpe.byte_tokens_.size(); ++byte) {
    const char text = static_cast<char>(byte);
    bpe.byte_tokens_[byte] = vocabulary.find(std::string_view(&text, 1));
    if (bpe.byte_tokens_[byte] == kNoToken) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("the vocabulary has no token for the byte 0x{:02X} (spelt '{}'); "
                               "byte-level BPE needs all 256",
                               byte, symbol_of_byte(static_cast<uint8_t>(byte))));
    }
  }
  bpe.merges_ = MergeTable(merges);
  bpe.find_whole_tokens(options);
  return bpe;
}

void Bpe::find_whole_tokens(Options options) {
  std::vector<bool> whole(static_cast<size_t>(vocabulary_->end()));
  whole_ = whole;
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < vocabulary_->end(); ++id) {
    const std::string_view bytes = vocabulary_->bytes(id);
    if (bytes.empty() || vocabulary_->find(bytes) != id) continue;
    ids.clear();
    if (!options.ignore_merges) append(bytes, ids);
    whole[static_cast<size_t>(id)] = options.ignore_merges || (ids.size() == 1 && ids[0] == id);
  }
  whole_ = std::move(whole);
}

void Bpe::append(std::string_view piece, std::vector<TokenId>& ids) const {
  const TokenId token = vocabulary_->find(piece);
  if (token != kNoToken && whole_[static_cast<size_t>(token)]) {
    ids.push_back(token);
    return;
  }
  if (piece.size() <= kShortPieceBytesMax) return append_short(piece, ids);
  for (; !piece.empty(); piece.remove_prefix(std::min(piece.size(), kPieceBytesMax))) {
    append_long(piece.substr(0, kPieceBytesMax), ids);
  }
}

void Bpe::append_short(std::string_view piece, std::vector<TokenId>& ids) const {
  std::array<Part, kShortPieceBytesMax> parts;
  size_t count = piece.size();
  for (size_t index = 0; index < count; ++index) {
    parts[index].id = byte_tokens_[static_cast<unsigned char>(piece[index])];
    if (index > 0) set_merge(parts[index - 1], merges_.find(parts[index - 1].id, parts[index].id));
  }
  while (count > 1) {
    size_t best = 0;
    for (size_t index = 1; index + 1 < count; ++index) {
      if (parts[index].rank < parts[best].rank) best = index;
    }
    if (parts[best].rank == kNoRank) break;
    parts[best].id = parts[best].joined;
    std::copy(parts.begin() + static_cast<std::ptrdiff_t>(best) + 2,
              parts.begin() + static_cast<std::ptrdiff_t>(count),
              parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    --count;
    const bool last = best + 1 == count;
    set_merge(parts[best], last ? nullptr : merges_.find(parts[best].id, parts[best + 1].id));
    if (best > 0) set_merge(parts[best - 1], merges_.find(parts[best - 1].id, parts[best].id));
  }
  for (size_t index = 0; index < count; ++index) ids.push_back(parts[index].id);
}

void Bpe::append_long(std::string_view piece, std::vector<TokenId>& ids) const {
  const auto count = static_cast<uint32_t>(piece.size());
  std::vector<Node> nodes(count);
  // Rank in the high half, position in the low one: the smallest is the next merge, leftmost first.
  std::vector<uint64_t> heap;
  const auto look_up = [&](uint32_t position) {
    Node& node = nodes[position];
    if (node.next == kNoPosition) return set_merge(node.part, nullptr);
    set_merge(node.part, merges_.find(node.part.id, nodes[node.next].part.id));
    if (node.part.rank != kNoRank) heap.push_back(uint64_t{node.part.rank} << 32 | position);
  };
  for (uint32_t position = 0; position < count; ++position) {
    nodes[position].part.id = byte_tokens_[static_cast<unsigned char>(piece[position])];
    nodes[position].previous = position == 0 ? kNoPosition : position - 1;
    nodes[position].next = position + 1 == count ? kNoPosition : position + 1;
  }
  for (uint32_t position = 0; position < count; ++position) look_up(position);
  std::make_heap(heap.begin(), heap.end(), std::greater<>{});
  const auto look_up_and_sift = [&](uint32_t position) {
    const size_t size = heap.size();
    look_up(position);
    if (heap.size() > size) std::push_heap(heap.begin(), heap.end(), std::greater<>{});
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>{});
    const auto position = static_cast<uint32_t>(heap.back());
    const auto rank = static_cast<uint32_t>(heap.back() >> 32);
    heap.pop_back();
    Node& node = nodes[position];
    // A rank names one pair, so another rank here means that this entry is out of date.
    if (node.part.rank != rank) continue;
    Node& joined_away = nodes[node.next];
    joined_away.part.rank = kNoRank;
    node.part.id = node.part.joined;
    node.next = joined_away.next;
    if (node.next != kNoPosition) nodes[node.next].previous = position;
    look_up_and_sift(position);
    if (node.previous != kNoPosition) look_up_and_sift(node.previous);
  }
  // The first position is never joined away.
  for (uint32_t at = 0; at != kNoPosition; at = nodes[at].next) ids.push_back(nodes[at].part.id);
}

}  // namespace levin::engine
