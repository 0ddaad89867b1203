#include "sandbox/quarantine.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/file_io.h"
#include "base/unique_fd.h"

namespace levin::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr int kNamesMax = 10'000;  // Quarantined in one second.

Error failed(const std::string& doing, const std::string& path, int error) {
  return Error(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               doing + " " + path + ": " + std::strerror(error));
}

// A folder of its own for each thing: "20261124T101500Z-1".
Result<std::string> new_place(const std::string& quarantine) {
  TRY(make_directories(quarantine, 0700));
  const time_t now = ::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts);
  for (int number = 1; number <= kNamesMax; ++number) {
    const std::string place = quarantine + "/" + stamp + "-" + std::to_string(number);
    if (::mkdir(place.c_str(), 0700) == 0) return place;
    if (errno != EEXIST) return failed("making", place, errno);
  }
  return Error(ErrorCode::kLimit, "too many folders in " + quarantine);
}

// `from` has been reached by descriptor; what it holds is copied without following links. A command
// that still runs beside may change it meanwhile: then the copy is odd, but nobody outside reads
// it.
Result<void> copy_and_remove(const std::string& from, const std::string& to,
                             const std::string& shown) {
  std::error_code error;
  int64_t bytes = 0;
  if (fs::is_directory(fs::symlink_status(from, error))) {
    for (fs::recursive_directory_iterator it(from, error), end; !error && it != end;
         it.increment(error)) {
      std::error_code ignored;
      if (it->is_regular_file(ignored) && !it->is_symlink(ignored)) {
        bytes += static_cast<int64_t>(it->file_size(ignored));
      }
      if (bytes > kQuarantineCopyBytesMax) {
        return Error(ErrorCode::kLimit, shown + " is too large to be copied to another disk");
      }
    }
  }
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return Error(ErrorCode::kIo, "copying " + shown + ": " + error.message());
  fs::remove_all(from, error);
  if (error) return Error(ErrorCode::kIo, "removing " + shown + ": " + error.message());
  return {};
}

}  // namespace

Result<std::string> move_to_quarantine(const std::string& workspace, const std::string& relative,
                                       const std::string& quarantine) {
  const fs::path path = relative;
  const std::string name = path.filename().string();
  const std::string parent = path.has_parent_path() ? path.parent_path().string() : ".";
  const UniqueFd root(::open(workspace.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!root) return failed("opening", workspace, errno);
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const UniqueFd folder(
      static_cast<int>(::syscall(SYS_openat2, root.get(), parent.c_str(), &how, sizeof(how))));
  if (!folder) return failed("opening", parent, errno);
  struct stat status {};
  if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return failed("looking at", relative, errno);
  }
  TRY_ASSIGN(const std::string place, new_place(quarantine));
  TRY(write_file_atomic(place + "/ORIGIN", workspace + "/" + relative + "\n", 0600));
  const std::string target = place + "/" + (name == "ORIGIN" ? "ORIGIN.made" : name);
  if (::renameat(folder.get(), name.c_str(), AT_FDCWD, target.c_str()) == 0) return target;
  const int error = errno;
  if (error != EXDEV) {
    ::unlink((place + "/ORIGIN").c_str());
    ::rmdir(place.c_str());
    return failed("moving", relative, error);
  }
  TRY(copy_and_remove("/proc/self/fd/" + std::to_string(folder.get()) + "/" + name, target,
                      relative));
  return target;
}

}  // namespace levin::sandbox
