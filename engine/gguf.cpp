#include "engine/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace levin::engine {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kAlignmentMax = 1 << 16;
constexpr uint32_t kDimensionsMax = 4;
// Beyond these a header is a mistake (or an attack on memory). MiniMax-M1 has about 40 keys and
// 1,000 tensors.
constexpr uint64_t kValuesMax = 1 << 16;
constexpr uint64_t kTensorsMax = 1 << 20;
constexpr uint64_t kNameBytesMax = 1 << 12;
constexpr uint64_t kSplitMax = 99'999;  // Five digits in the file name.

// The type numbers of ggml. Those without sizes are known by name only.
struct TensorType {
  uint32_t number;
  const char* name;
  TensorTypeSize size;
};
constexpr TensorType kTensorTypes[] = {
    {0, "F32", {1, 4}},    {1, "F16", {1, 2}},       {2, "Q4_0", {32, 18}},
    {8, "Q8_0", {32, 34}}, {12, "Q4_K", {256, 144}}, {14, "Q6_K", {256, 210}},
    {30, "BF16", {1, 2}},  {3, "Q4_1", {}},          {6, "Q5_0", {}},
    {7, "Q5_1", {}},       {9, "Q8_1", {}},          {10, "Q2_K", {}},
    {11, "Q3_K", {}},      {13, "Q5_K", {}},         {15, "Q8_K", {}},
    {16, "IQ2_XXS", {}},   {17, "IQ2_XS", {}},       {18, "IQ3_XXS", {}},
    {19, "IQ1_S", {}},     {20, "IQ4_NL", {}},       {21, "IQ3_S", {}},
    {22, "IQ2_S", {}},     {23, "IQ4_XS", {}},       {24, "I8", {}},
    {25, "I16", {}},       {26, "I32", {}},          {27, "I64", {}},
    {28, "F64", {}},       {29, "IQ1_M", {}},        {34, "TQ1_0", {}},
    {35, "TQ2_0", {}},     {39, "MXFP4", {}},
};
constexpr std::string_view kReadTypes = "F32, F16, BF16, Q8_0, Q4_0, Q4_K and Q6_K";

// Bytes of a scalar; 0 for strings, arrays and what does not exist.
uint64_t kind_bytes(uint64_t kind) {
  constexpr uint8_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kind < std::size(kSizes) ? kSizes[kind] : 0;
}

Error corrupt(const std::string& path, const std::string& what) {
  return Error(ErrorCode::kCorrupt, path + ": " + what);
}

// Reads on through the bytes of one part; keeps no more than a position.
class Reader {
 public:
  Reader(std::string path, std::span<const std::byte> bytes)
      : path_(std::move(path)), bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  template <typename Number>
  Result<Number> number(std::string_view what) {
    TRY_ASSIGN(const std::span<const std::byte> raw, take(sizeof(Number), what));
    Number value;
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

  Result<std::span<const std::byte>> take(uint64_t size, std::string_view what) {
    if (size > left()) {
      return corrupt(path_, fmt::format("{} at byte {} needs {} bytes, the file has {} left "
                                        "(truncated?)",
                                        what, position_, size, left()));
    }
    const std::span<const std::byte> taken = bytes_.subspan(position_, size);
    position_ += size;
    return taken;
  }

  Result<std::string_view> name(std::string_view what) {
    TRY_ASSIGN(const auto size, number<uint64_t>(what));
    if (size == 0 || size > kNameBytesMax) {
      return corrupt(path_, fmt::format("{} at byte {} has {} bytes, expected 1 to {}", what,
                                        position_ - sizeof size, size, kNameBytesMax));
    }
    TRY_ASSIGN(const std::span<const std::byte> raw, take(size, what));
    return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  }

  // Leaves the position behind the value; `value->bytes` covers it.
  Result<void> value(std::string_view key, GgufValue* value) {
    TRY_ASSIGN(const auto kind, number<uint32_t>(key));
    if (kind > static_cast<uint32_t>(GgufKind::kFloat64)) {
      return corrupt(path_,
                     fmt::format("key {} has kind {}, expected 0 to 12", quoted_name(key), kind));
    }
    value->kind = static_cast<GgufKind>(kind);
    value->element = value->kind;
    if (value->kind == GgufKind::kArray) {
      TRY_ASSIGN(const auto element, number<uint32_t>(key));
      TRY_ASSIGN(value->count, number<uint64_t>(key));
      value->element = static_cast<GgufKind>(element);
      if (value->element != GgufKind::kString && kind_bytes(element) == 0) {
        return corrupt(path_, fmt::format("key {} is an array of kind {}, expected numbers, flags "
                                          "or strings",
                                          quoted_name(key), element));
      }
    }
    const size_t begin = position_;
    TRY(skip_elements(key, value->element, value->count));
    value->bytes = bytes_.subspan(begin, position_ - begin);
    return {};
  }

 private:
  Result<void> skip_elements(std::string_view key, GgufKind kind, uint64_t count) {
    const uint64_t size = kind == GgufKind::kString ? 8 : kind_bytes(static_cast<uint64_t>(kind));
    if (count > left() / size) {
      return corrupt(path_, fmt::format("key {} claims {} elements, the file has {} bytes left "
                                        "(truncated?)",
                                        quoted_name(key), count, left()));
    }
    if (kind != GgufKind::kString) {
      TRY(take(count * size, key));
      return {};
    }
    const std::string what =
        fmt::format("a string of key {}", quoted_name(key));  // Once: M1 has 400,000.
    for (uint64_t i = 0; i < count; ++i) {
      TRY_ASSIGN(const auto length, number<uint64_t>(key));
      TRY(take(length, what));
    }
    return {};
  }

  std::string path_;
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

struct Placed {
  uint64_t begin;
  uint64_t end;
  std::string name;
};

Result<const TensorType*> find_type(const std::string& path, const std::string& name,
                                    uint32_t number) {
  const auto* found = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                   [&](const TensorType& one) { return one.number == number; });
  if (found != std::end(kTensorTypes) && found->size.block_weights > 0) return found;
  return Error(ErrorCode::kUnsupported,
               fmt::format("{}: tensor {} has type {}, expected one of {}", path, quoted_name(name),
                           found == std::end(kTensorTypes) ? std::to_string(number) : found->name,
                           kReadTypes));
}

Result<GgufDescription> read_description(const std::string& path, Reader& reader) {
  GgufDescription tensor;
  TRY_ASSIGN(const std::string_view name, reader.name("a tensor's name"));
  tensor.name = std::string(name);
  const auto fail = [&](const std::string& what) {
    return corrupt(path, fmt::format("tensor {}: {}", quoted_name(name), what));
  };
  TRY_ASSIGN(const auto num_dimensions, reader.number<uint32_t>("a tensor's dimensions"));
  if (num_dimensions == 0 || num_dimensions > kDimensionsMax) {
    return fail(fmt::format("has {} dimensions, expected 1 to {}", num_dimensions, kDimensionsMax));
  }
  uint64_t elements = 1;
  for (uint32_t i = 0; i < num_dimensions; ++i) {
    TRY_ASSIGN(const auto size, reader.number<uint64_t>("a tensor's dimension"));
    // The file lists the fastest dimension first.
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));
    if (size == 0 || size > uint64_t{INT64_MAX} ||
        __builtin_mul_overflow(elements, size, &elements) || elements > (uint64_t{1} << 58)) {
      return fail(
          fmt::format("its shape has the size {}, expected 1 or more and no overflow", size));
    }
  }
  TRY_ASSIGN(const auto type, reader.number<uint32_t>("a tensor's type"));
  TRY_ASSIGN(tensor.offset, reader.number<uint64_t>("a tensor's offset"));
  TRY_ASSIGN(const TensorType* known, find_type(path, tensor.name, type));
  const TensorTypeSize& size = known->size;
  tensor.dtype = known->name;
  if (tensor.shape.back() % size.block_weights != 0) {
    return fail(fmt::format("its rows have {} weights, {} comes in blocks of {}",
                            tensor.shape.back(), tensor.dtype, size.block_weights));
  }
  tensor.bytes = elements / static_cast<uint64_t>(size.block_weights) *
                 static_cast<uint64_t>(size.block_bytes);
  return tensor;
}

Result<void> check_overlaps(const std::string& path, std::vector<Placed> places) {
  std::sort(places.begin(), places.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  for (size_t i = 1; i < places.size(); ++i) {
    if (places[i].begin >= places[i - 1].end) continue;
    return corrupt(path, fmt::format("tensor {} begins at data byte {}, expected {} or later "
                                     "(tensor {} reaches there)",
                                     quoted_name(places[i].name), places[i].begin,
                                     places[i - 1].end, quoted_name(places[i - 1].name)));
  }
  return {};
}

// The version and both counts, checked.
Result<std::pair<uint64_t, uint64_t>> read_header(const std::string& path, Reader& reader) {
  TRY_ASSIGN(const std::span<const std::byte> magic, reader.take(kMagic.size(), "the magic"));
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    return corrupt(path, "does not begin with 'GGUF' (not a GGUF file?)");
  }
  TRY_ASSIGN(const auto version, reader.number<uint32_t>("the version"));
  if (version != 2 && version != 3) {
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("{}: is GGUF version {}, levin reads 2 and 3 (little-endian)", path, version));
  }
  TRY_ASSIGN(const auto num_tensors, reader.number<uint64_t>("the tensor count"));
  TRY_ASSIGN(const auto num_values, reader.number<uint64_t>("the key count"));
  if (num_tensors > kTensorsMax || num_values > kValuesMax) {
    return corrupt(path, fmt::format("claims {} tensors and {} keys, expected at most {} and {}",
                                     num_tensors, num_values, kTensorsMax, kValuesMax));
  }
  return std::pair(num_tensors, num_values);
}

std::string part_path(const std::string& stem, uint64_t index, uint64_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, index + 1, count);
}

template <typename Number>
Number load(const std::byte* at) {
  Number value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::optional<int64_t> load_whole(GgufKind kind, const std::byte* at) {
  switch (kind) {
    case GgufKind::kUint8:
      return load<uint8_t>(at);
    case GgufKind::kInt8:
      return load<int8_t>(at);
    case GgufKind::kBool:
      return load<uint8_t>(at) != 0;
    case GgufKind::kUint16:
      return load<uint16_t>(at);
    case GgufKind::kInt16:
      return load<int16_t>(at);
    case GgufKind::kUint32:
      return load<uint32_t>(at);
    case GgufKind::kInt32:
      return load<int32_t>(at);
    case GgufKind::kInt64:
      return load<int64_t>(at);
    case GgufKind::kUint64:
      if (load<uint64_t>(at) > uint64_t{INT64_MAX}) return std::nullopt;
      return static_cast<int64_t>(load<uint64_t>(at));
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string_view gguf_kind_name(GgufKind kind) {
  constexpr const char* kNames[] = {"uint8",  "int8",    "uint16", "int16",  "uint32",
                                    "int32",  "float32", "bool",   "string", "array",
                                    "uint64", "int64",   "float64"};
  return kNames[static_cast<size_t>(kind)];
}

TensorTypeSize tensor_type_size(std::string_view dtype) {
  for (const TensorType& type : kTensorTypes) {
    if (type.name == dtype) return type.size;
  }
  return {};
}

std::optional<int64_t> GgufValue::whole() const {
  return load_whole(kind, bytes.data());
}

std::optional<double> GgufValue::real() const {
  if (kind == GgufKind::kFloat32) return load<float>(bytes.data());
  if (kind == GgufKind::kFloat64) return load<double>(bytes.data());
  return std::nullopt;
}

std::optional<bool> GgufValue::flag() const {
  if (kind != GgufKind::kBool) return std::nullopt;
  return load<uint8_t>(bytes.data()) != 0;
}

std::optional<std::string_view> GgufValue::text() const {
  if (kind != GgufKind::kString) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + sizeof(uint64_t),
                          bytes.size() - sizeof(uint64_t));
}

std::optional<std::vector<int64_t>> GgufValue::wholes() const {
  if (kind != GgufKind::kArray || element == GgufKind::kString) return std::nullopt;
  std::vector<int64_t> values;
  values.reserve(count);
  const size_t size = kind_bytes(static_cast<uint64_t>(element));
  for (size_t i = 0; i < count; ++i) {
    const std::optional<int64_t> one = load_whole(element, bytes.data() + i * size);
    if (!one) return std::nullopt;
    values.push_back(*one);
  }
  return values;
}

std::optional<std::vector<std::string_view>> GgufValue::texts() const {
  if (kind != GgufKind::kArray || element != GgufKind::kString) return std::nullopt;
  std::vector<std::string_view> values;
  values.reserve(count);
  const std::byte* at = bytes.data();
  for (size_t i = 0; i < count; ++i) {
    const auto size = load<uint64_t>(at);
    values.emplace_back(reinterpret_cast<const char*>(at) + sizeof size, size);
    at += sizeof size + size;
  }
  return values;
}

std::string GgufValue::brief() const {
  if (kind == GgufKind::kArray) {
    return fmt::format("an array of {} {}s", count, gguf_kind_name(element));
  }
  if (kind == GgufKind::kString) return quoted_name(*text());
  if (kind == GgufKind::kBool) return *flag() ? "true" : "false";
  if (real()) return fmt::format("{}", *real());
  return whole() ? std::to_string(*whole()) : "a number beyond 63 bits";
}

const GgufValue* Gguf::find(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<MappedFile> Gguf::release_files() {
  std::vector<MappedFile> files = std::move(files_);
  values_.clear();
  tensors_.clear();
  return files;
}

Result<Gguf> Gguf::open(const std::string& path) {
  Gguf opened;
  opened.path_ = path;
  TRY(opened.add_part(path, 0, 0));
  TRY(opened.add_other_parts());
  return opened;
}

Result<void> Gguf::add_other_parts() {
  const GgufValue* count_value = find("split.count");
  const int64_t count = count_value == nullptr ? 1 : count_value->whole().value_or(-1);
  const GgufValue* number_value = find("split.no");
  const int64_t number = number_value == nullptr ? 0 : number_value->whole().value_or(-1);
  if (count < 0 || count > int64_t{kSplitMax} || number < 0) {
    return corrupt(path_, "split.count and split.no should be whole numbers up to 99999");
  }
  if (count <= 1) return {};
  const std::string ending =
      part_path("", static_cast<uint64_t>(number), static_cast<uint64_t>(count));
  if (!path_.ends_with(ending)) {
    return corrupt(path_, fmt::format("is part {} of {}; its name should end in {}", number + 1,
                                      count, ending));
  }
  const std::string stem = path_.substr(0, path_.size() - ending.size());
  if (number != 0) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}: is part {} of {}; name the first part, {}", path_, number + 1,
                             count, part_path(stem, 0, static_cast<uint64_t>(count))));
  }
  for (int64_t i = 1; i < count; ++i) {
    const std::string path =
        part_path(stem, static_cast<uint64_t>(i), static_cast<uint64_t>(count));
    Result<void> added = add_part(path, static_cast<size_t>(i), static_cast<size_t>(count));
    if (!added)
      return std::move(added).error().context(path_ + ": its part " + std::to_string(i + 1));
  }
  const GgufValue* total = find("split.tensors.count");
  if (total != nullptr && total->whole() != static_cast<int64_t>(tensors_.size())) {
    return corrupt(path_, fmt::format("its {} parts hold {} tensors, split.tensors.count says {}",
                                      count, tensors_.size(), total->brief()));
  }
  return {};
}

Result<void> Gguf::place_tensors(const std::string& path, std::vector<GgufDescription> described,
                                 std::span<const std::byte> bytes, uint64_t data_begin,
                                 uint64_t alignment) {
  std::vector<Placed> places;
  const uint64_t available = bytes.size() > data_begin ? bytes.size() - data_begin : 0;
  for (GgufDescription& one : described) {
    if (one.offset % alignment != 0) {
      return corrupt(path,
                     fmt::format("tensor {} begins at data byte {}, expected a multiple of {}",
                                 quoted_name(one.name), one.offset, alignment));
    }
    if (one.offset > available || one.bytes > available - one.offset) {
      return corrupt(path,
                     fmt::format("tensor {}, {} {}, needs {} bytes from data byte {} on, the file "
                                 "has {} data bytes (truncated?)",
                                 quoted_name(one.name), one.dtype, shape_text(one.shape), one.bytes,
                                 one.offset, available));
    }
    places.push_back({one.offset, one.offset + one.bytes, one.name});
    TensorInfo info{std::string(one.dtype), std::move(one.shape),
                    bytes.subspan(data_begin + one.offset, one.bytes)};
    if (!tensors_.emplace(one.name, std::move(info)).second) {
      return corrupt(path, fmt::format("tensor {} is there twice", quoted_name(one.name)));
    }
  }
  return check_overlaps(path, std::move(places));
}

Result<void> Gguf::add_part(const std::string& path, size_t index, size_t count) {
  TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  Reader reader(path, file.bytes());
  TRY_ASSIGN(const auto counts, read_header(path, reader));
  std::map<std::string, GgufValue, std::less<>> values;
  for (uint64_t i = 0; i < counts.second; ++i) {
    TRY_ASSIGN(const std::string_view key, reader.name("a key"));
    GgufValue value;
    TRY(reader.value(key, &value));
    if (!values.emplace(key, value).second) {
      return corrupt(path, fmt::format("key {} is there twice", quoted_name(key)));
    }
  }
  const auto whole_at = [&](const char* key, int64_t otherwise) {
    const auto found = values.find(key);
    return found == values.end() ? otherwise : found->second.whole().value_or(-1);
  };
  if (index > 0 && (whole_at("split.no", -1) != static_cast<int64_t>(index) ||
                    whole_at("split.count", -1) != static_cast<int64_t>(count))) {
    return corrupt(
        path, fmt::format("says split.no {} of {}, expected {} of {}", whole_at("split.no", -1),
                          whole_at("split.count", -1), index, count));
  }
  const int64_t alignment = whole_at("general.alignment", kDefaultAlignment);
  if (alignment < 1 || alignment > int64_t{kAlignmentMax} || (alignment & (alignment - 1)) != 0) {
    return corrupt(path, fmt::format("general.alignment is {}, expected a power of two up to {}",
                                     alignment, kAlignmentMax));
  }
  std::vector<GgufDescription> described;
  for (uint64_t i = 0; i < counts.first; ++i) {
    TRY_ASSIGN(GgufDescription one, read_description(path, reader));
    described.push_back(std::move(one));
  }
  const auto unit = static_cast<uint64_t>(alignment);
  const uint64_t data_begin = (reader.position() + unit - 1) / unit * unit;
  TRY(place_tensors(path, std::move(described), file.bytes(), data_begin, unit));
  if (index == 0) values_ = std::move(values);
  files_.push_back(std::move(file));
  return {};
}

}  // namespace levin::engine
