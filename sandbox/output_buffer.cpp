#include "sandbox/output_buffer.h"

#include <algorithm>

namespace levin::sandbox {

void OutputBuffer::append(std::string_view bytes) {
  total_bytes_ += bytes.size();
  const size_t to_head = std::min(bytes.size(), head_bytes_max_ - head_.size());
  head_.append(bytes.substr(0, to_head));
  bytes.remove_prefix(to_head);
  const size_t to_grow = std::min(bytes.size(), tail_bytes_max_ - tail_.size());
  tail_.append(bytes.substr(0, to_grow));
  bytes.remove_prefix(to_grow);
  if (tail_.empty()) return;
  // What a later byte of the same call would overwrite need not be written at all.
  if (bytes.size() > tail_.size()) {
    const size_t skipped = bytes.size() - tail_.size();
    tail_position_ = (tail_position_ + skipped) % tail_.size();
    bytes.remove_prefix(skipped);
  }
  while (!bytes.empty()) {
    const size_t count = std::min(bytes.size(), tail_.size() - tail_position_);
    bytes.copy(tail_.data() + tail_position_, count);
    bytes.remove_prefix(count);
    tail_position_ = (tail_position_ + count) % tail_.size();
  }
}

OutputBuffer::Kept OutputBuffer::kept() const {
  Kept result;
  result.bytes.reserve(head_.size() + tail_.size());
  result.bytes = head_;
  result.bytes.append(tail_, tail_position_);
  result.bytes.append(tail_, 0, tail_position_);
  if (total_bytes_ > result.bytes.size()) result.cut_at = head_.size();
  return result;
}

}  // namespace levin::sandbox
