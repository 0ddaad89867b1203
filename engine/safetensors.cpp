#include "engine/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "base/file_io.h"
#include "engine/json_brief.h"

namespace levin::engine {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kHeaderBytesMax = 100'000'000;  // The format's own limit.
constexpr size_t kDimensionsMax = 8;

size_t dtype_bytes(const std::string& dtype) {
  static const std::map<std::string, size_t> kSizes = {
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},     {"I32", 4},
      {"I16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  const auto found = kSizes.find(dtype);
  return found == kSizes.end() ? 0 : found->second;
}

Error corrupt(const std::string& path, const std::string& what) {
  return Error(ErrorCode::kCorrupt, path + ": " + what);
}

// A whole number >= 0 that fits int64.
bool is_count(const json& value) {
  return value.is_number_integer() &&
         (value.is_number_unsigned() ? value.get<uint64_t>() <= uint64_t{INT64_MAX}
                                     : value.get<int64_t>() >= 0);
}

struct Placed {
  uint64_t begin;
  uint64_t end;
  std::string name;
};

Result<TensorInfo> parse_tensor(const std::string& path, const std::string& name, const json& entry,
                                std::span<const std::byte> data, Placed* placed) {
  const auto fail = [&](const std::string& what) {
    return corrupt(path, "tensor " + quoted_name(name) + ": " + what);
  };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets")) {
    return fail("expected {dtype, shape, data_offsets}, found " + json_brief(entry));
  }
  TensorInfo info;
  if (!entry["dtype"].is_string() || dtype_bytes(entry["dtype"].get<std::string>()) == 0) {
    return fail("unknown dtype " + json_brief(entry["dtype"]));
  }
  info.dtype = entry["dtype"].get<std::string>();
  if (!entry["shape"].is_array() || entry["shape"].size() > kDimensionsMax) {
    return fail("expected a shape of at most 8 sizes, found " + json_brief(entry["shape"]));
  }
  uint64_t bytes = dtype_bytes(info.dtype);
  bool is_empty = false;  // A size of 0 hides no overflow of the others: num_elements() is exact.
  for (const json& size : entry["shape"]) {
    if (!is_count(size)) return fail("expected sizes of 0 or more, found " + json_brief(size));
    info.shape.push_back(size.get<int64_t>());
    is_empty |= info.shape.back() == 0;
    if (__builtin_mul_overflow(bytes, std::max<uint64_t>(size.get<uint64_t>(), 1), &bytes) ||
        bytes > uint64_t{INT64_MAX}) {
      return fail("its shape overflows");
    }
  }
  if (is_empty) bytes = 0;
  const json& offsets = entry["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !is_count(offsets[0]) ||
      !is_count(offsets[1])) {
    return fail("expected data_offsets [begin, end], found " + json_brief(offsets));
  }
  placed->begin = offsets[0].get<uint64_t>();
  placed->end = offsets[1].get<uint64_t>();
  placed->name = name;
  if (placed->begin > placed->end || placed->end > data.size()) {
    return fail(
        fmt::format("data_offsets [{}, {}] leave the {} data bytes of the file (truncated?)",
                    placed->begin, placed->end, data.size()));
  }
  if (placed->end - placed->begin != bytes) {
    return fail(fmt::format("{} {} needs {} bytes, data_offsets give {}", info.dtype,
                            shape_text(info.shape), bytes, placed->end - placed->begin));
  }
  info.data = data.subspan(placed->begin, bytes);
  return info;
}

// The data must be covered once, from first to last byte.
Result<void> check_layout(const std::string& path, std::vector<Placed> places, size_t data_bytes) {
  std::sort(places.begin(), places.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t position = 0;
  for (const Placed& place : places) {
    if (place.begin != position) {
      return corrupt(path, fmt::format("tensor {} begins at data byte {}, expected {} ({})",
                                       quoted_name(place.name), place.begin, position,
                                       place.begin < position ? "tensors overlap" : "a gap"));
    }
    position = place.end;
  }
  if (position != data_bytes) {
    return corrupt(path,
                   fmt::format("holds {} data bytes, its tensors cover {}", data_bytes, position));
  }
  return {};
}

}  // namespace

Result<void> SafeTensors::add_file(const std::string& path) {
  TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() < kLengthBytes) {
    return corrupt(path,
                   fmt::format("holds {} bytes, expected at least {}", bytes.size(), kLengthBytes));
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > kHeaderBytesMax || header_bytes > bytes.size() - kLengthBytes) {
    return corrupt(path,
                   fmt::format("its header claims {} bytes, the file holds {} (truncated, or not "
                               "a safetensors file?)",
                               header_bytes, bytes.size()));
  }
  const char* text = reinterpret_cast<const char*>(bytes.data()) + kLengthBytes;
  const json header = json::parse(text, text + header_bytes, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return corrupt(path, "its header is not a JSON object");
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + header_bytes);
  std::vector<Placed> places;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) return corrupt(path, "__metadata__ is not an object");
      for (const auto& [key, value] : entry.items()) {
        if (value.is_string()) set_metadata(key, value.get<std::string>());
      }
      continue;
    }
    Placed placed;
    TRY_ASSIGN(TensorInfo info, parse_tensor(path, name, entry, data, &placed));
    if (!add(name, std::move(info))) {
      return corrupt(path, "tensor " + quoted_name(name) + " is in two files");
    }
    places.push_back(std::move(placed));
  }
  TRY(check_layout(path, std::move(places), data.size()));
  keep(std::move(file));
  return {};
}

Result<SafeTensors> SafeTensors::open_file(const std::string& path) {
  SafeTensors opened;
  TRY(opened.add_file(path));
  return opened;
}

Result<SafeTensors> SafeTensors::open_folder(const std::string& folder) {
  const std::string single = folder + "/model.safetensors";
  Result<SafeTensors> one = open_file(single);
  if (one || one.error().code() != ErrorCode::kNotFound) return one;
  const std::string index_path = folder + "/model.safetensors.index.json";
  Result<std::string> text = read_file(index_path);
  if (!text) {
    return Error(ErrorCode::kNotFound, folder +
                                           " holds neither model.safetensors nor "
                                           "model.safetensors.index.json");
  }
  const json index = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return corrupt(index_path, "expected a JSON object with a weight_map");
  }
  std::set<std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    // A shard is a plain file name: an index must not reach outside its folder.
    if (!shard.is_string() || shard.get<std::string>().find('/') != std::string::npos) {
      return corrupt(index_path, "tensor " + quoted_name(name) + " is mapped to " +
                                     json_brief(shard) + ", expected a file name");
    }
    shards.insert(shard.get<std::string>());
  }
  SafeTensors opened;
  for (const std::string& shard : shards) {
    Result<void> added = opened.add_file(folder + "/" + shard);
    if (added) continue;
    // The index is what is wrong when a shard is not there, or is no file.
    return corrupt(index_path, added.error().message());
  }
  for (const auto& [name, shard] : index["weight_map"].items()) {
    if (opened.find(name) == nullptr) {
      return corrupt(index_path, "tensor " + quoted_name(name) + " is not in " +
                                     quoted_name(shard.get<std::string>()));
    }
  }
  return opened;
}

void SafeTensorsWriter::add(const std::string& name, std::span<const float> values,
                            std::vector<int64_t> shape) {
  const std::string bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  entries_[name] = Entry{"F32", std::move(shape), bytes};
}

void SafeTensorsWriter::add(const std::string& name, std::span<const int32_t> values,
                            std::vector<int64_t> shape) {
  const std::string bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  entries_[name] = Entry{"I32", std::move(shape), bytes};
}

Result<void> SafeTensorsWriter::write(const std::string& path) const {
  json header = json::object();
  std::string data;
  for (const auto& [name, entry] : entries_) {
    header[name] = {{"dtype", entry.dtype},
                    {"shape", entry.shape},
                    {"data_offsets", {data.size(), data.size() + entry.bytes.size()}}};
    data += entry.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // Data begins aligned.
  const uint64_t length = text.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  file += text;
  file += data;
  return write_file_atomic(path, file);
}

}  // namespace levin::engine
