// OutputBuffer: the first and the last bytes of a stream of any length, in bounded memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace levin::sandbox {

class OutputBuffer {
 public:
  OutputBuffer(size_t head_bytes_max, size_t tail_bytes_max)
      : head_bytes_max_(head_bytes_max), tail_bytes_max_(tail_bytes_max) {}

  // Memory stays below head_bytes_max + 2 * tail_bytes_max, whatever comes.
  void append(std::string_view bytes);

  // How many bytes came in all.
  size_t total_bytes() const { return total_bytes_; }

  // Head and tail joined, and where in it bytes are missing (0 when none are).
  struct Kept {
    std::string bytes;
    size_t cut_at = 0;
  };
  Kept kept() const;

 private:
  size_t head_bytes_max_;
  size_t tail_bytes_max_;
  size_t total_bytes_ = 0;
  std::string head_;
  std::string tail_;          // A ring once it is full; until then it grows.
  size_t tail_position_ = 0;  // Where the oldest byte of a full ring is, and the next one goes.
};

}  // namespace levin::sandbox
