// Safetensors files byte by byte, right and wrong ones, for tests of the reader and the loader.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "engine/safetensors.h"

namespace levin::engine {

inline const std::string kGoldenModels =
    std::string(LEVIN_SOURCE_DIR) + "/tests/golden/minimax_m1/";

// Without fsync, and always to a new file (some file systems flush one that is cut and rewritten):
// the mutation tests write thousands.
inline void write_plain(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good()) << path;
}

inline std::string with_length(uint64_t length, const std::string& rest) {
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + rest;
}

inline std::string raw_file(const std::string& header, const std::string& data) {
  return with_length(header.size(), header + data);
}

struct RawTensor {
  std::string dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};

using RawTensors = std::map<std::string, RawTensor>;

inline RawTensors read_raw(const std::string& path) {
  RawTensors tensors;
  const Result<SafeTensors> files = SafeTensors::open_file(path);
  EXPECT_TRUE(files) << path;
  if (!files) return tensors;
  for (const auto& [name, info] : files->tensors()) {
    tensors[name] = {info.dtype,
                     info.shape,
                     {reinterpret_cast<const char*>(info.data.data()), info.data.size()}};
  }
  return tensors;
}

inline void write_raw(const std::string& path, const RawTensors& tensors) {
  nlohmann::json header = nlohmann::json::object();
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  write_plain(path, raw_file(header.dump(), data));
}

// Adds entries to the __metadata__ of a file that is there.
inline void add_metadata(const std::string& path, const std::map<std::string, std::string>& more) {
  const Result<std::string> file = read_file(path);
  ASSERT_TRUE(file) << path;
  uint64_t length = 0;
  std::memcpy(&length, file->data(), sizeof length);
  nlohmann::json header = nlohmann::json::parse(file->substr(sizeof length, length));
  for (const auto& [key, value] : more) header["__metadata__"][key] = value;
  write_plain(path, raw_file(header.dump(), file->substr(sizeof length + length)));
}

// BF16 -> F32 is exact: the same numbers in another type.
inline RawTensor widened(const RawTensor& tensor) {
  if (tensor.dtype != "BF16") return tensor;
  RawTensor wide{"F32", tensor.shape, {}};
  for (size_t i = 0; i < tensor.bytes.size(); i += 2) {
    wide.bytes.append(2, '\0');
    wide.bytes.append(tensor.bytes, i, 2);
  }
  return wide;
}

// A folder with the config of a golden model and `tensors` in `num_shards` shards with an index, or
// in one file for 0.
inline void write_model(const std::string& folder, const std::string& golden,
                        const RawTensors& tensors, size_t num_shards) {
  std::filesystem::copy_file(kGoldenModels + golden + "/config.json", folder + "/config.json",
                             std::filesystem::copy_options::overwrite_existing);
  if (num_shards == 0) return write_raw(folder + "/model.safetensors", tensors);
  std::vector<RawTensors> shards(num_shards);
  nlohmann::json index;
  size_t next = 0;
  for (const auto& [name, tensor] : tensors) {
    const size_t shard = next++ % num_shards;
    shards[shard][name] = tensor;
    index["weight_map"][name] = "part" + std::to_string(shard) + ".safetensors";
  }
  for (size_t shard = 0; shard < num_shards; ++shard) {
    write_raw(folder + "/part" + std::to_string(shard) + ".safetensors", shards[shard]);
  }
  write_plain(folder + "/model.safetensors.index.json", index.dump());
}

}  // namespace levin::engine
