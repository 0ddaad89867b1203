#include "engine/safetensors_stream.h"

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace levin::engine {

Result<SafeTensorsStream> SafeTensorsStream::create(
    const std::string& path, const std::vector<Tensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes}}};
    offset += tensor.bytes;
  }
  std::string text = header.dump();
  constexpr size_t kAlignment = 64;  // Data begins where a cache line does.
  text.resize((text.size() + 8 + kAlignment - 1) / kAlignment * kAlignment - 8, ' ');
  const uint64_t length = text.size();
  TRY_ASSIGN(AtomicFile file, AtomicFile::create(path));
  TRY(file.write({reinterpret_cast<const char*>(&length), sizeof length}));
  TRY(file.write(text));
  return SafeTensorsStream(std::move(file), offset);
}

Result<void> SafeTensorsStream::write(std::span<const std::byte> data) {
  CHECK(data.size() <= left_, data.size(), left_);
  left_ -= data.size();
  return file_.write({reinterpret_cast<const char*>(data.data()), data.size()});
}

Result<void> SafeTensorsStream::finish() {
  CHECK(left_ == 0, left_);
  return file_.commit();
}

}  // namespace levin::engine
