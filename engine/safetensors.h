// Safetensors files: a bounded reader over mmap, one file or shards with an index, and a writer.
// Format: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
// then the data, without gaps or overlaps.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"

namespace levin::engine {

struct TensorInfo {
  std::string dtype;  // "F32", "F16", "BF16", "I32", ...
  std::vector<int64_t> shape;
  std::span<const std::byte> data;

  int64_t num_elements() const;
};

std::string shape_text(std::span<const int64_t> shape);  // "[2, 3]"

class SafeTensors {
 public:
  // Opens one file. Errors: kCorrupt with the file, what was expected and what was found.
  static Result<SafeTensors> open_file(const std::string& path);
  // Opens model.safetensors in `folder`, else the shards of model.safetensors.index.json. Errors
  // also: kNotFound naming both; kCorrupt when the index names a shard or tensor that is not there.
  static Result<SafeTensors> open_folder(const std::string& folder);

  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  const TensorInfo* find(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  size_t num_files() const { return files_.size(); }

 private:
  Result<void> add_file(const std::string& path);

  std::vector<MappedFile> files_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Collects tensors in memory, then writes them as one file, atomically.
class SafeTensorsWriter {
 public:
  void add(const std::string& name, std::span<const float> values, std::vector<int64_t> shape);
  void add(const std::string& name, std::span<const int32_t> values, std::vector<int64_t> shape);
  Result<void> write(const std::string& path) const;

 private:
  struct Entry {
    std::string dtype;
    std::vector<int64_t> shape;
    std::string bytes;
  };
  std::map<std::string, Entry> entries_;
};

}  // namespace levin::engine
