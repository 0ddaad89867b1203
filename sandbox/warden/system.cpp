#include "sandbox/warden/system.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace levin::sandbox {

Error system_error(const std::string& step) {
  return Error(ErrorCode::kIo, step + ": " + std::strerror(errno));
}

UniqueFd open_path(int folder, const char* path, uint64_t resolve) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = resolve;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof(how))));
}

UniqueFd clone_tree(int fd) {
  constexpr unsigned kFlags =
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | static_cast<unsigned>(AT_RECURSIVE);
  return UniqueFd(::open_tree(fd, "", kFlags));
}

bool set_mount_attributes(int fd, uint64_t set, bool recursive) {
  mount_attr attributes{};
  attributes.attr_set = set;
  const unsigned flags = AT_EMPTY_PATH | (recursive ? static_cast<unsigned>(AT_RECURSIVE) : 0U);
  return ::mount_setattr(fd, "", flags, &attributes, sizeof(attributes)) == 0;
}

bool attach(int tree, int target) {
  return ::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

bool write_text_file(const char* path, const std::string& text) {
  const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return false;
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace levin::sandbox
