#include "agent/stat_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/file_io.h"
#include "base/unique_fd.h"

namespace levin::agent {
namespace {

// Layout, in this machine's byte order: kMagic, base, number of files, files, number of trees,
// trees, FNV-1a of all before.
constexpr std::string_view kMagic = "levin stat cache 1\n";
constexpr int64_t kTickNs = 50'000'000;           // Kernels tick every 1 to 10 ms.
constexpr int64_t kCoarseTickNs = 2'100'000'000;  // FAT keeps two seconds.
constexpr int64_t kSecondNs = 1'000'000'000;

int64_t nanoseconds(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * kSecondNs + time.tv_nsec;
}

uint64_t checksum(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  return hash;
}

template <typename T>
void put(std::string& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_text(std::string& out, const std::string& text) {
  put(out, static_cast<uint32_t>(text.size()));
  out += text;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T take() {
    T value{};
    const std::string_view bytes = raw(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(raw(take<uint32_t>())); }
  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view raw(size_t size) {
    good_ = good_ && size <= rest_.size();
    if (!good_) return {};
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

FileStamp FileStamp::of(const struct stat& status) {
  return {nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim),
          static_cast<uint64_t>(status.st_size),
          status.st_ino,
          status.st_dev,
          status.st_mode};
}

bool FileStamp::is_racy(int64_t now_ns) const {
  const bool whole_seconds = ctime_ns % kSecondNs == 0;
  return ctime_ns + (whole_seconds ? kCoarseTickNs : kTickNs) >= now_ns;
}

StatCache StatCache::load(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text || !text->starts_with(kMagic) || text->size() < kMagic.size() + sizeof(uint64_t)) {
    return {};
  }
  const std::string_view body = std::string_view(*text).substr(0, text->size() - sizeof(uint64_t));
  if (Reader(std::string_view(*text).substr(body.size())).take<uint64_t>() != checksum(body)) {
    return {};
  }
  Reader reader(body.substr(kMagic.size()));
  StatCache cache;
  cache.base = reader.take<ObjectId>();
  for (auto left = reader.take<uint64_t>(); left > 0 && reader.good(); --left) {
    std::string name = reader.text();
    const auto stamp = reader.take<FileStamp>();
    cache.files.insert_or_assign(std::move(name), Known{stamp, reader.take<ObjectId>()});
  }
  for (auto left = reader.take<uint64_t>(); left > 0 && reader.good(); --left) {
    std::string name = reader.text();
    cache.trees.insert_or_assign(std::move(name), reader.take<ObjectId>());
  }
  return reader.good() && reader.at_end() ? std::move(cache) : StatCache();
}

Result<void> StatCache::save(const std::string& path) const {
  std::string out(kMagic);
  put(out, base);
  put(out, static_cast<uint64_t>(files.size()));
  for (const auto& [name, known] : files) {
    put_text(out, name);
    put(out, known.stamp);
    put(out, known.id);
  }
  put(out, static_cast<uint64_t>(trees.size()));
  for (const auto& [name, id] : trees) {
    put_text(out, name);
    put(out, id);
  }
  put(out, checksum(out));
  const std::string temporary = path + ".new";
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return Error(ErrorCode::kIo, "cannot write " + temporary + ": " + std::strerror(errno));
  TRY(write_all(fd.get(), out, temporary));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return Error(ErrorCode::kIo, "cannot rename onto " + path + ": " + std::strerror(errno));
  }
  return {};
}

}  // namespace levin::agent
