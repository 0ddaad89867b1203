#include "engine/tensor_files.h"

#include <fmt/format.h>

namespace levin::engine {

std::string shape_text(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

int64_t TensorInfo::num_elements() const {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

const TensorInfo* TensorFiles::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

bool TensorFiles::add(const std::string& name, TensorInfo info) {
  return tensors_.emplace(name, std::move(info)).second;
}

}  // namespace levin::engine
