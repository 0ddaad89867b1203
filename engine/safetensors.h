// Safetensors files: a bounded reader over mmap, one file or shards with an index, and a writer.
// Format: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
// then the data, without gaps or overlaps.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/tensor_files.h"

namespace levin::engine {

class SafeTensors final : public TensorFiles {
 public:
  // Opens one file. Errors: kCorrupt with the file, what was expected and what was found.
  static Result<SafeTensors> open_file(const std::string& path);
  // Opens model.safetensors in `folder`, else the shards of model.safetensors.index.json. Errors
  // also: kNotFound naming both; kCorrupt when the index names a shard or tensor that is not there.
  static Result<SafeTensors> open_folder(const std::string& folder);

 private:
  Result<void> add_file(const std::string& path);
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
