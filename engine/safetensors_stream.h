// Writes a safetensors file of any size without holding its tensors: the header first, from a list
// of what will come, then the data in that order. The file appears whole or not at all.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "base/result.h"

namespace levin::engine {

class SafeTensorsStream {
 public:
  struct Tensor {
    std::string name;
    std::string dtype;
    std::vector<int64_t> shape;
    uint64_t bytes = 0;
  };

  // Errors: kIo.
  static Result<SafeTensorsStream> create(const std::string& path,
                                          const std::vector<Tensor>& tensors,
                                          const std::map<std::string, std::string>& metadata);

  // The next bytes of the data. Errors: kIo.
  Result<void> write(std::span<const std::byte> data);
  // Syncs and renames. CHECKs that all that was announced has come. Errors: kIo.
  Result<void> finish();

 private:
  SafeTensorsStream(AtomicFile file, uint64_t bytes) : file_(std::move(file)), left_(bytes) {}

  AtomicFile file_;
  uint64_t left_;  // Bytes announced and not yet written.
};

}  // namespace levin::engine
