#include "engine/tensor_files.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace levin::engine {

std::string shape_text(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string quoted_name(std::string_view name) {
  constexpr size_t kShown = 80;
  std::string text = utf8_sanitize(name.substr(0, kShown));
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) text[i] = '?';
    // U+0080 to U+009F.
    const bool is_second = i > 0 && static_cast<unsigned char>(text[i - 1]) == 0xC2;
    if (is_second && byte >= 0x80 && byte < 0xA0) text[i - 1] = text[i] = '?';
  }
  return "'" + text + (name.size() > kShown ? "...'" : "'");
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
