// Sources are taken first, by descriptor and as detached clones: after that the new root may cover
// any path of the machine, and nobody can swap a link into a path that is used later.
#include "sandbox/warden/tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "sandbox/warden/system.h"

namespace levin::sandbox {
namespace {

// Where the new root is put together; everything there has been taken before. Exists everywhere.
constexpr const char* kBuildPlace = "/usr";
constexpr const char* kUnreadable = ".unreadable";
constexpr const char* kEmpty = ".empty";

using Kind = MountOp::Kind;

class Builder {
 public:
  explicit Builder(const CellPlan& plan) : plan_(plan) {}

  Result<void> run() {
    TRY(take_sources());
    TRY(make_root());
    for (size_t index = 0; index < plan_.mounts.size(); ++index) {
      TRY(apply(plan_.mounts[index], sources_[index]));
    }
    return enter();
  }

 private:
  Result<void> take_sources();
  Result<void> make_root();
  Result<void> apply(const MountOp& op, const UniqueFd& source);
  Result<UniqueFd> target(const std::string& path, bool is_folder);
  Result<void> put_tmpfs(const MountOp& op);
  Result<void> put_file_system(const char* type, const std::string& path, const char* options,
                               unsigned long flags);
  Result<void> cover(const MountOp& op, const char* cover_name, bool is_folder);
  Result<void> enter();

  const CellPlan& plan_;
  std::vector<UniqueFd> sources_;  // Of each operation; empty where it has none.
  UniqueFd root_;
};

Result<void> Builder::take_sources() {
  for (const MountOp& op : plan_.mounts) {
    UniqueFd tree;
    if (op.kind == Kind::kBind || op.kind == Kind::kDevice) {
      const UniqueFd path = open_path(AT_FDCWD, op.source.c_str(), RESOLVE_NO_SYMLINKS);
      if (!path) return system_error("opening " + op.source);
      tree = clone_tree(path.get());
      if (!tree) return system_error("taking " + op.source);
      uint64_t attributes = MOUNT_ATTR_NOSUID;
      if (op.kind == Kind::kBind) attributes |= MOUNT_ATTR_NODEV;
      if (op.read_only) attributes |= MOUNT_ATTR_RDONLY;
      if (!set_mount_attributes(tree.get(), attributes, /*recursive=*/true)) {
        return system_error("protecting " + op.source);
      }
    }
    sources_.push_back(std::move(tree));
  }
  return {};
}

Result<void> Builder::make_root() {
  if (::mount("levin", kBuildPlace, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m") != 0) {
    return system_error("mounting the root");
  }
  root_ = UniqueFd(::open(kBuildPlace, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_) return system_error("opening the root");
  const UniqueFd file(::openat(root_.get(), kUnreadable, O_CREAT | O_EXCL | O_CLOEXEC, 0));
  if (!file) return system_error("making an unreadable node");
  if (::mkdirat(root_.get(), kEmpty, 0555) != 0) return system_error("making an empty folder");
  return {};
}

// The place `path` in the new root, made where it is missing; what is missing below a read-only
// mount is an error. Links of the new root are followed inside it.
Result<UniqueFd> Builder::target(const std::string& path, bool is_folder) {
  constexpr uint64_t kResolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd here = open_path(root_.get(), ".", kResolve);
  for (size_t start = 1; start < path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string name = path.substr(start, end - start);
    const bool last = end == path.size();
    start = end + 1;
    if (name.empty()) continue;
    const std::string prefix = path.substr(0, end);
    UniqueFd next = open_path(root_.get(), prefix.c_str(), kResolve);
    if (!next && errno == ENOENT && here) {
      if (last && !is_folder) {
        UniqueFd(::openat(here.get(), name.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0444)).reset();
      } else if (::mkdirat(here.get(), name.c_str(), 0755) != 0) {
        return system_error("making the folder " + prefix);
      }
      next = open_path(root_.get(), prefix.c_str(), kResolve);
    }
    if (!next) return system_error("opening " + prefix + " in the new root");
    here = std::move(next);
  }
  return here;
}

Result<void> Builder::put_file_system(const char* type, const std::string& path,
                                      const char* options, unsigned long flags) {
  TRY_ASSIGN(const UniqueFd place, target(path, /*is_folder=*/true));
  const std::string by_fd = "/proc/self/fd/" + std::to_string(place.get());
  if (::mount("levin", by_fd.c_str(), type, flags, options) != 0) {
    return system_error(std::string("mounting ") + type + " on " + path);
  }
  return {};
}

Result<void> Builder::put_tmpfs(const MountOp& op) {
  char options[64];
  std::snprintf(options, sizeof(options), "mode=%04o,size=%lld", static_cast<unsigned>(op.mode),
                static_cast<long long>(op.size_bytes));
  return put_file_system("tmpfs", op.target, options, MS_NOSUID | MS_NODEV);
}

Result<void> Builder::cover(const MountOp& op, const char* cover_name, bool is_folder) {
  const UniqueFd node = open_path(root_.get(), cover_name, RESOLVE_BENEATH);
  const UniqueFd tree(::open_tree(
      node.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | static_cast<unsigned>(AT_EMPTY_PATH)));
  if (!tree) return system_error("taking the cover of " + op.target);
  if (!set_mount_attributes(tree.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, false)) {
    return system_error("protecting the cover of " + op.target);
  }
  TRY_ASSIGN(const UniqueFd place, target(op.target, is_folder));
  if (!attach(tree.get(), place.get())) return system_error("covering " + op.target);
  return {};
}

Result<void> Builder::apply(const MountOp& op, const UniqueFd& source) {
  switch (op.kind) {
    case Kind::kBind:
    case Kind::kDevice: {
      struct stat status {};
      if (::fstat(source.get(), &status) != 0) return system_error("looking at " + op.source);
      TRY_ASSIGN(const UniqueFd place, target(op.target, S_ISDIR(status.st_mode)));
      if (!attach(source.get(), place.get())) return system_error("mounting " + op.target);
      return {};
    }
    case Kind::kTmpfs:
      return put_tmpfs(op);
    case Kind::kSymlink: {
      const size_t slash = op.target.rfind('/');
      TRY_ASSIGN(const UniqueFd folder, target(op.target.substr(0, slash), true));
      const std::string name = op.target.substr(slash + 1);
      if (::symlinkat(op.source.c_str(), folder.get(), name.c_str()) != 0) {
        return system_error("making the link " + op.target);
      }
      return {};
    }
    case Kind::kTerminals:
      return put_file_system("devpts", op.target, "newinstance,ptmxmode=0666,mode=620",
                             MS_NOSUID | MS_NOEXEC);
    case Kind::kProc:
      return put_file_system("proc", op.target, nullptr, MS_NOSUID | MS_NODEV | MS_NOEXEC);
    case Kind::kHideFile:
      return cover(op, kUnreadable, /*is_folder=*/false);
    case Kind::kHideFolder:
      return cover(op, kEmpty, /*is_folder=*/true);
    case Kind::kSeal: {
      TRY_ASSIGN(const UniqueFd place, target(op.target, /*is_folder=*/true));
      if (!set_mount_attributes(place.get(), MOUNT_ATTR_RDONLY, /*recursive=*/false)) {
        return system_error("sealing " + op.target);
      }
      return {};
    }
  }
  return Error(ErrorCode::kCorrupt, "the plan of a cell has an unknown operation");
}

// pivot_root(".", ".") stacks the old root over the new one; detaching it leaves the new one alone.
Result<void> Builder::enter() {
  if (::fchdir(root_.get()) != 0) return system_error("entering the root");
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return system_error("pivot_root");
  if (::umount2(".", MNT_DETACH) != 0) return system_error("detaching the old root");
  if (::chdir("/") != 0) return system_error("entering the new root");
  return {};
}

}  // namespace

Result<void> build_tree(const CellPlan& plan) {
  // Nothing of what is mounted here may appear on the machine, nor the other way round.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return system_error("making mounts private");
  }
  return Builder(plan).run();
}

}  // namespace levin::sandbox
