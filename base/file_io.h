// Whole-file reads and writes that are never seen half done. Plain paths: what a model may touch
// goes through tools/workspace.h instead.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace levin {

// Reads all of `path`. Errors: kNotFound, kIo, kLimit when it holds more than `bytes_max`.
Result<std::string> read_file(const std::string& path, size_t bytes_max = size_t{1} << 30);

// A file that appears whole or not at all: written beside `path` under another name, renamed at
// commit(). Without commit() the temporary file is removed.
class AtomicFile {
 public:
  // A new file gets `mode`. Errors: kIo with errno in words, as for all members.
  static Result<AtomicFile> create(const std::string& path, mode_t mode = 0644);
  AtomicFile(AtomicFile&& other) noexcept = default;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Result<void> write(std::string_view bytes);
  // fsync, then rename.
  Result<void> commit();

 private:
  AtomicFile(std::string path, std::string temporary, UniqueFd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  std::string path_;
  std::string temporary_;
  UniqueFd fd_;  // Closed once committed.
};

// Writes `path` by a temporary file in the same folder, fsync, rename: a reader, or a machine that
// dies, finds the old or the new content. A new file gets `mode`. Errors: kIo with errno in words;
// the temporary file is removed.
Result<void> write_file_atomic(const std::string& path, std::string_view content,
                               mode_t mode = 0644);

// write(2) until all is written; EINTR is retried. Errors: kIo.
Result<void> write_all(int fd, std::string_view bytes, const std::string& what);

// mkdir -p with `mode` for the folders it makes. Errors: kIo.
Result<void> make_directories(const std::string& path, mode_t mode = 0700);

}  // namespace levin
