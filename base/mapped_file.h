// MappedFile: a whole file, read-only in memory, without a copy (mmap(2), MAP_PRIVATE).
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace levin {

class MappedFile {
 public:
  // Maps `path`. Errors: kNotFound, kIo (with errno in words), kInvalidArgument for a directory.
  // An empty file gives an empty span.
  static Result<MappedFile> open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace levin
