// Writes GGUF files for tests: right ones, and by hand wrong ones. Also small models: a golden case
// of tests/golden/minimax_m1 in any tensor type, with the names and keys of llama.cpp's converter.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "engine/gguf.h"

namespace levin::engine {

// A key's value as the bytes of the file: kind, then payload.
std::string gguf_u32(uint32_t value);
std::string gguf_u64(uint64_t value);
std::string gguf_f32(float value);
std::string gguf_bool(bool value);
std::string gguf_text(const std::string& value);
std::string gguf_texts(const std::vector<std::string>& values);
std::string gguf_i32s(const std::vector<int32_t>& values);
std::string gguf_bools(const std::vector<bool>& values);

struct GgufTensorBytes {
  std::vector<int64_t> shape;  // Row-major; written the other way round.
  uint32_t type = 0;           // ggml's number.
  std::string data;
};

struct GgufContent {
  uint32_t version = 3;
  uint64_t alignment = 32;
  std::vector<std::pair<std::string, std::string>> values;  // In order; see gguf_u32() ...
  std::vector<std::pair<std::string, GgufTensorBytes>> tensors;

  void set(const std::string& key, const std::string& value);
  void erase(const std::string& key);
  GgufTensorBytes& tensor(const std::string& name);
  std::string bytes() const;
};

// The files of a split model: part i holds the tensors with index % count == i; the first part has
// all keys. Written as STEM-00001-of-0000N.gguf.
void write_split(const GgufContent& content, const std::string& stem, size_t count);

// `values` in the given type; the row size is a multiple of the type's block.
// "BF16_widened": float32 that holds what BF16 would.
std::string encode_tensor(const std::string& dtype, const std::vector<float>& values);
uint32_t ggml_type(const std::string& dtype);

// A model as float32 tensors under the published names, and its config.
struct PlainModel {
  nlohmann::json config;
  std::map<std::string, std::pair<std::vector<int64_t>, std::vector<float>>> tensors;
};
PlainModel golden_model(const std::string& name);  // Of tests/golden/minimax_m1.
PlainModel folder_model(const std::string& folder);
// Adds the keys of a tokenizer.json as a converter writes them; `pre` is tokenizer.ggml.pre. Ids
// that name nothing are padded up to `vocab_size`.
void add_tokenizer(const nlohmann::json& tokenizer, const std::string& pre, size_t vocab_size,
                   GgufContent* content);
// Seeded weights; 256 wide, so that every tensor fits the blocks of 256. Two layers, 320 tokens.
PlainModel wide_model(uint64_t seed);

// The file that a converter would make: matrices (not the router, not norms) in `dtype`.
// `dtype_of` may choose another type for a tensor by its GGUF name.
GgufContent gguf_of(const PlainModel& model, const std::string& dtype);
GgufContent gguf_of(const PlainModel& model,
                    const std::function<std::string(const std::string& name)>& dtype_of);

}  // namespace levin::engine
