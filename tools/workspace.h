// The folder the model works in. Every file that a tool touches goes through here: nothing outside
// can be reached, a write is all or nothing, and what the model has seen of a file is remembered.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/path_walk.h"

namespace levin::tools {

inline constexpr size_t kFileBytesMax = size_t{64} << 20;     // Larger files are not loaded.
inline constexpr size_t kSeenTextBytesMax = size_t{1} << 20;  // Larger ones are known by hash only.

struct FileData {
  std::string content;
  std::string real_path;  // Relative to the workspace, without links; the key of what was seen.
};

struct FolderEntry {
  std::string name;
  bool is_folder = false;
  bool is_file = false;  // A regular one; a link is neither.
};

enum class Stored { kWritten, kChangedMeanwhile };

// Not thread-safe: one agent loop uses it. Movable; owns its descriptors.
class Workspace {
 public:
  // Errors: kInvalidArgument when `folder` is not absolute, kNotFound, kIo.
  static Result<Workspace> open(const std::string& folder);

  // Absolute, without links.
  const std::string& root() const { return root_.names.front(); }

  // Lets absolute paths below `folder` be read (never written). Idempotent. Errors: as open().
  Result<void> allow_reading(const std::string& folder);

  // Errors of the calls below: kInvalidArgument when the path is refused (the message is the
  // reason), kNotFound, kUnsupported when it is another kind of thing, kLimit, kIo.
  Result<Place> find(std::string_view path) const;
  Result<FileData> load(std::string_view path, size_t bytes_max = kFileBytesMax) const;
  Result<std::vector<FolderEntry>> list_folder(const Place& folder) const;

  // Replaces or creates a file: temporary file beside it, fsync, rename. An existing file keeps its
  // permission bits, and its owner where the system lets us (set-id bits go when it does not). A
  // link inside the workspace stays; its target is replaced. Missing parent folders are made.
  //   expected : the content it must still have just before the rename; null: it must not exist.
  //   mode     : permission bits to give it; absent: those it has, or what the umask leaves.
  Result<Stored> store(std::string_view path, std::string_view content, const std::string* expected,
                       std::optional<mode_t> mode = std::nullopt) const;

  // Whether store() would be let write there; makes nothing. kNotFound: a folder is missing, which
  // store() would make.
  Result<Place> check_writable(std::string_view path) const;

  // Removes a file that still holds `expected`. A link is kUnsupported, not followed.
  Result<Stored> remove(std::string_view path, const std::string& expected) const;

  // Remembers that the model knows this content of the file.
  void note_seen(const std::string& real_path, std::string_view content);

  // The model knows nothing any more.
  void forget_seen() { seen_.clear(); }

  // What the model last saw of a file that now holds `content`.
  struct Seen {
    size_t hash = 0;
    std::optional<std::string> text;  // Absent above kSeenTextBytesMax.
  };
  // Null when the model never saw the file or it is unchanged since.
  const Seen* changed_since_seen(const std::string& real_path, std::string_view content) const;

 private:
  Workspace() = default;

  Root root_;
  std::vector<Root> readable_;
  std::map<std::string, Seen> seen_;
};

// The entries of an open folder, in no order. Errors: kIo.
Result<std::vector<FolderEntry>> read_folder(int fd);

// Reads a whole open file. Errors: kLimit, kIo.
Result<std::string> read_descriptor(int fd, size_t bytes_max, const std::string& what);

}  // namespace levin::tools
