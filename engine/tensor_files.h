// The tensors of a checkpoint by name, whatever container they came in (engine/safetensors.h,
// engine/gguf_model.h): views of mapped files.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"

namespace levin::engine {

struct TensorInfo {
  std::string dtype;  // "F32", "F16", "BF16", "I32", ... or a block type: "Q4_0", "Q8_0", ...
  std::vector<int64_t> shape;
  std::span<const std::byte> data;

  int64_t num_elements() const;
};

std::string shape_text(std::span<const int64_t> shape);  // "[2, 3]"

// A name from a file, fit for a message: quoted, short, without what could drive a terminal.
std::string quoted_name(std::string_view name);

class TensorFiles {
 public:
  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  const TensorInfo* find(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  size_t num_files() const { return files_.size(); }

  // For readers of a container. False when the name is there already.
  bool add(const std::string& name, TensorInfo info);
  void set_metadata(const std::string& key, std::string value) {
    metadata_[key] = std::move(value);
  }
  // Owns the memory that tensors look into.
  void keep(MappedFile file) { files_.push_back(std::move(file)); }

 private:
  std::vector<MappedFile> files_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace levin::engine
