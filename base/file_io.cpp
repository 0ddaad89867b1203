#include "base/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/unique_fd.h"

namespace levin {
namespace {

Error io_error(const std::string& doing, int error) {
  return Error(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               doing + ": " + std::strerror(error));
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return io_error("cannot open " + path, errno);
  std::string content;
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_error("cannot read " + path, errno);
    if (count == 0) return content;
    content.append(buffer, static_cast<size_t>(count));
    if (content.size() > bytes_max) {
      return Error(ErrorCode::kLimit,
                   path + " holds more than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

Result<void> write_all(int fd, std::string_view bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_error("cannot write " + what, errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<AtomicFile> AtomicFile::create(const std::string& path, mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return io_error("cannot create a temporary file beside " + path, errno);
  AtomicFile file(path, temporary, std::move(fd));
  if (::fchmod(file.fd_.get(), mode) != 0) {
    return io_error("cannot set the mode of " + temporary, errno);
  }
  return file;
}

AtomicFile::~AtomicFile() {
  if (fd_) ::unlink(temporary_.c_str());
}

Result<void> AtomicFile::write(std::string_view bytes) {
  return write_all(fd_.get(), bytes, temporary_);
}

Result<void> AtomicFile::commit() {
  if (::fsync(fd_.get()) != 0) return io_error("cannot sync " + temporary_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return io_error("cannot rename onto " + path_, errno);
  }
  fd_.reset();
  return {};
}

Result<void> write_file_atomic(const std::string& path, std::string_view content, mode_t mode) {
  TRY_ASSIGN(AtomicFile file, AtomicFile::create(path, mode));
  TRY(file.write(content));
  return file.commit();
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (!part.empty() && ::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return io_error("cannot create the folder " + part, errno);
    }
    if (slash == std::string::npos) break;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return io_error("cannot stat " + path, errno);
  if (!S_ISDIR(status.st_mode)) return io_error("cannot create the folder " + path, ENOTDIR);
  return {};
}

}  // namespace levin
