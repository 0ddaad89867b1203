// Numbers that are zero until they are written; memory is touched only where it is used. For lists
// with one number per name of a large graph, of which a run needs few.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "base/check.h"

namespace levin::tools {

class LazyFloats {
 public:
  size_t size() const { return size_; }
  float& operator[](size_t index) { return data_.get()[index]; }
  float operator[](size_t index) const { return data_.get()[index]; }
  std::span<const float> first(size_t count) const { return {data_.get(), count}; }
  std::span<float> all() { return {data_.get(), size_}; }

  // Grows; what is new is zero.
  void resize(size_t size) {
    if (size > capacity_) {
      const size_t capacity = size + kSpare;
      // calloc of much memory takes untouched pages from the kernel.
      Memory larger(static_cast<float*>(std::calloc(capacity, sizeof(float))));
      CHECK(larger != nullptr, capacity);
      if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_ * sizeof(float));
      data_ = std::move(larger);
      capacity_ = capacity;
    }
    size_ = size;
  }

 private:
  static constexpr size_t kSpare = 1 << 16;  // Names that a patch adds, mostly.
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<float, Free>;

  Memory data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace levin::tools
