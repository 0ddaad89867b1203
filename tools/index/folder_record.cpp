#include "tools/index/folder_record.h"

#include <algorithm>
#include <cstring>

namespace levin::tools {
namespace {

void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

template <typename T>
void put_raw(std::string& out, const T* values, size_t count) {
  out.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

// Reads what the functions above wrote; after a failure everything reads as zero.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(raw<char>());
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }

  // A count of things that take at least `bytes_each`: what cannot fit is a failure.
  uint32_t count(size_t bytes_each) {
    const uint64_t value = varint();
    if (value > rest_.size() / std::max<size_t>(bytes_each, 1)) failed_ = true;
    return failed_ ? 0 : static_cast<uint32_t>(value);
  }

  uint32_t number() {
    const uint64_t value = varint();
    if (value > UINT32_MAX) failed_ = true;
    return failed_ ? 0 : static_cast<uint32_t>(value);
  }

  template <typename T>
  T raw() {
    T value{};
    if (rest_.size() < sizeof value) {
      failed_ = true;
      rest_ = {};
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

  std::string text() {
    const uint32_t size = count(1);
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }

  template <typename T>
  void list(std::vector<T>& values, size_t count) {
    if (count > rest_.size() / sizeof(T)) {
      failed_ = true;
      return;
    }
    values.resize(count);
    if (count > 0) std::memcpy(values.data(), rest_.data(), count * sizeof(T));
    rest_.remove_prefix(count * sizeof(T));
  }

  // Whether everything was there and nothing is left.
  bool done() const { return !failed_ && rest_.empty(); }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

Error corrupt(const std::string& what) {
  return Error(ErrorCode::kCorrupt, "the index holds a damaged record of " + what);
}

}  // namespace

std::string encode_definitions(const std::vector<Definition>& definitions) {
  std::string out;
  uint32_t line = 0;
  for (const Definition& definition : definitions) {
    put_varint(out, definition.name.size());
    out += definition.name;
    out.push_back(static_cast<char>(definition.kind));
    put_varint(out, definition.line - line);  // They stand in the order of their lines.
    line = definition.line;
  }
  return out;
}

Result<std::vector<Definition>> decode_definitions(std::string_view bytes) {
  const size_t kind_count = kind_names().size();
  std::vector<Definition> definitions;
  Reader reader(bytes);
  uint32_t line = 0;
  while (!reader.done()) {
    Definition definition;
    definition.name = reader.text();
    definition.kind = reader.raw<uint8_t>();
    line += reader.number();
    definition.line = line;
    if (reader.failed() || definition.kind >= kind_count) return corrupt("definitions");
    definitions.push_back(std::move(definition));
  }
  return definitions;
}

void append_file(FolderRecord& folder, std::string_view name, const FileStamp& stamp,
                 const Tags& tags) {
  const std::string encoded = encode_definitions(tags.definitions);
  FileRecord file;
  file.name = name;
  file.stamp = stamp;
  file.state = tags.state;
  file.definition_count = static_cast<uint32_t>(tags.definitions.size());
  file.tags_size = static_cast<uint32_t>(encoded.size());
  file.defined_count = static_cast<uint32_t>(tags.defined_hashes.size());
  file.reference_count = static_cast<uint32_t>(tags.references.size());
  folder.files.push_back(std::move(file));
  folder.tags += encoded;
  folder.defined.insert(folder.defined.end(), tags.defined_hashes.begin(),
                        tags.defined_hashes.end());
  for (const Reference& reference : tags.references) {
    folder.reference_names.push_back(reference.name_hash);
    folder.reference_weights.push_back(reference.weight);
  }
}

void copy_file(FolderRecord& folder, const FolderRecord& from, size_t index,
               const FilePlace& place) {
  const FileRecord& file = from.files[index];
  folder.files.push_back(file);
  folder.tags.append(from.tags, place.tags, file.tags_size);
  const auto defined = from.defined.begin() + static_cast<ptrdiff_t>(place.defined);
  folder.defined.insert(folder.defined.end(), defined, defined + file.defined_count);
  const auto offset = static_cast<ptrdiff_t>(place.references);
  const auto names = from.reference_names.begin() + offset;
  folder.reference_names.insert(folder.reference_names.end(), names, names + file.reference_count);
  const auto weights = from.reference_weights.begin() + offset;
  folder.reference_weights.insert(folder.reference_weights.end(), weights,
                                  weights + file.reference_count);
}

std::string encode_files(const FolderRecord& folder) {
  std::string out;
  put_varint(out, folder.files.size());
  for (const FileRecord& file : folder.files) {
    put_varint(out, file.name.size());
    out += file.name;
    put_varint(out, file.stamp.size);
    put_raw(out, &file.stamp.modified_ns, 1);
    put_raw(out, &file.stamp.changed_ns, 1);
    put_raw(out, &file.stamp.inode, 1);
    out.push_back(static_cast<char>(file.state));
    put_varint(out, file.definition_count);
    put_varint(out, file.tags_size);
    put_varint(out, file.defined_count);
    put_varint(out, file.reference_count);
  }
  return out;
}

std::string encode_graph(const FolderRecord& folder) {
  std::string out;
  put_raw(out, folder.defined.data(), folder.defined.size());
  put_raw(out, folder.reference_names.data(), folder.reference_names.size());
  put_raw(out, folder.reference_weights.data(), folder.reference_weights.size());
  return out;
}

Result<FolderRecord> decode_files(std::string path, std::string_view files) {
  FolderRecord folder;
  folder.path = std::move(path);
  folder.has_lists = false;
  Reader reader(files);
  folder.files.resize(reader.count(3 * sizeof(int64_t)));
  for (FileRecord& file : folder.files) {
    file.name = reader.text();
    file.stamp.size = reader.varint();
    file.stamp.modified_ns = reader.raw<int64_t>();
    file.stamp.changed_ns = reader.raw<int64_t>();
    file.stamp.inode = reader.raw<uint64_t>();
    const auto state = reader.raw<uint8_t>();
    if (state > static_cast<uint8_t>(FileState::kUnreadable)) return corrupt(folder.path);
    file.state = static_cast<FileState>(state);
    file.definition_count = reader.number();
    file.tags_size = reader.number();
    file.defined_count = reader.number();
    file.reference_count = reader.number();
  }
  if (!reader.done()) return corrupt(folder.path);
  return folder;
}

Result<void> decode_lists(FolderRecord& folder, std::string_view graph) {
  FilePlace end;
  for (const FileRecord& file : folder.files) end.pass(file);
  Reader lists(graph);
  lists.list(folder.defined, end.defined);
  lists.list(folder.reference_names, end.references);
  lists.list(folder.reference_weights, end.references);
  if (!lists.done()) return corrupt(folder.path);
  folder.has_lists = true;
  return {};
}

void drop_lists(FolderRecord& folder) {
  folder.defined = {};
  folder.reference_names = {};
  folder.reference_weights = {};
  folder.has_lists = false;
}

std::string file_path(const FolderRecord& folder, const FileRecord& file) {
  return folder.path.empty() ? file.name : folder.path + "/" + file.name;
}

}  // namespace levin::tools
