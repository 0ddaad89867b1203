// GGUF files (versions 2 and 3): a bounded reader over mmap, one file or the parts of a split one.
// Knows the container: keys, values, tensors under their own names. What they mean for a model is
// engine/gguf_model.h's and engine/gguf_tokenizer.h's business.
// Format: "GGUF", version, counts; key-value pairs; tensor descriptions; aligned tensor data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "engine/tensor_files.h"

namespace levin::engine {

enum class GgufKind : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

// One value of the metadata: a view of the file. Every reader gives nothing for another kind.
class GgufValue {
 public:
  GgufKind kind = GgufKind::kUint8;
  GgufKind element = GgufKind::kUint8;  // Of an array.
  uint64_t count = 1;                   // Elements of an array.
  std::span<const std::byte> bytes;     // The payload; checked to hold what `kind` says.

  std::optional<int64_t> whole() const;  // Any integer that fits, or a bool as 0 or 1.
  std::optional<double> real() const;    // Either float.
  std::optional<bool> flag() const;
  std::optional<std::string_view> text() const;
  // Arrays, whole: of integers or bools; of strings.
  std::optional<std::vector<int64_t>> wholes() const;
  std::optional<std::vector<std::string_view>> texts() const;

  std::string brief() const;  // For messages: "7", "'abc'", "an array of 3 strings".
};

// "uint32", "string", ...
std::string_view gguf_kind_name(GgufKind kind);

// Bytes of `elements` weights of a tensor type ("F32", "Q4_0", ...), and how many make one block.
struct TensorTypeSize {
  int64_t block_weights = 0;  // 0: not a type that levin reads.
  int64_t block_bytes = 0;
};
TensorTypeSize tensor_type_size(std::string_view dtype);

// How the file describes a tensor.
struct GgufDescription {
  std::string name;
  std::string_view dtype;
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // From the beginning of the data.
  uint64_t bytes = 0;
};

class Gguf {
 public:
  // Opens `path`; for the first part of a split file also its other parts, which lie beside it.
  // Errors: kNotFound; kCorrupt with the file, what was expected and what was found; kUnsupported
  // for other versions and tensor types, naming those known; kInvalidArgument for a later part.
  static Result<Gguf> open(const std::string& path);

  const std::string& path() const { return path_; }
  const GgufValue* find(const std::string& key) const;
  const std::map<std::string, GgufValue, std::less<>>& values() const { return values_; }
  // Row-major shapes: the file's own order turned round. Every row is a whole number of blocks.
  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }

  // The mapped parts, for whoever keeps views of the tensors. Afterwards this object is empty.
  std::vector<MappedFile> release_files();

 private:
  Result<void> add_part(const std::string& path, size_t index, size_t count);
  Result<void> add_other_parts();
  Result<void> place_tensors(const std::string& path, std::vector<GgufDescription> described,
                             std::span<const std::byte> bytes, uint64_t data_begin,
                             uint64_t alignment);

  std::string path_;
  std::vector<MappedFile> files_;
  std::map<std::string, GgufValue, std::less<>> values_;  // Of the first part.
  std::map<std::string, TensorInfo> tensors_;             // Of all parts.
};

}  // namespace levin::engine
