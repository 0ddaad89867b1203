// Resolves a path below a held folder, one component at a time, so that nothing can lead out of it:
// not `..`, not an absolute path, not a link, and not a link swapped in while we look.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace levin::tools {

// A folder that paths may be resolved in.
struct Root {
  UniqueFd folder;                 // O_PATH.
  std::vector<std::string> names;  // Absolute spellings of it: as given, and without links.
};

enum class Purpose {
  kRead,
  kWrite,       // Missing parent folders are made; anything below a `.git` is refused.
  kCheckWrite,  // As above, but nothing is made: a missing folder is kNotFound.
};

// Where a path leads, all links followed.
struct Place {
  UniqueFd parent;   // O_PATH of the folder that holds it; of the root itself for the root.
  UniqueFd entry;    // O_PATH of the thing itself; empty when it does not exist.
  std::string name;  // Its name in `parent`; "." for the root.
  std::string path;  // Relative to the root, without links; "." for the root.
  struct stat status {};

  bool exists() const { return static_cast<bool>(entry); }
  bool is_folder() const { return exists() && S_ISDIR(status.st_mode); }
  bool is_file() const { return exists() && S_ISREG(status.st_mode); }
};

inline constexpr int kLinksMax = 40;  // As the kernel's own limit.
inline constexpr size_t kComponentsMax =
    512;  // Of one path, links expanded; each holds a descriptor.

// Follows `path` (relative, or absolute below one of root.names). A missing last component is not
// an error: the place then does not exist. Errors: kInvalidArgument when it leads out of the root
// or is refused, with the reason in words; kNotFound when a part is missing; kUnsupported for
// `name/` where name is no folder; kIo.
Result<Place> walk_path(const Root& root, std::string_view path, Purpose purpose);

// openat2(2) for one component: never follows a link. Falls back to openat(2) with O_NOFOLLOW,
// which for a single component promises the same, where a kernel or a filter lacks openat2.
UniqueFd open_component(int folder, const std::string& name, int flags);

// The same for a relative path of several components, none of which may be a link.
UniqueFd open_below(int folder, const std::string& path, int flags);

// The part of `path` below the root: `path` itself when it is relative, the rest when it begins
// with one of root.names; false when it is absolute and elsewhere.
bool below_root(const Root& root, std::string_view path, std::string_view& rest);

}  // namespace levin::tools
