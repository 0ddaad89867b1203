// Finds what can make git start a program, in every git folder of a workspace at any depth, and
// what of it is new since the last look. Folders that have not changed are not read again.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.h"

namespace levin::sandbox {

inline constexpr size_t kScanFoldersMax = 100'000;  // Of one workspace.

struct ScanChanges {
  std::vector<std::string> appeared;  // Relative to the workspace; not there at the last look.
  std::vector<std::string> changed;   // There before, but not like this.
  bool is_complete = true;            // False: more than kScanFoldersMax folders.
};

// Thread-safe.
class RepositoryScan {
 public:
  // Takes what is there now as known.
  explicit RepositoryScan(const std::string& workspace);

  // Takes what is there now as known. Only while no command runs.
  void adopt();

  // What has come since the last look, or the last ones of commands that ran beside. Things that
  // are older than `since` (CLOCK_REALTIME_COARSE) were made by somebody else between two commands:
  // they become known without being named. Never follows a link.
  ScanChanges look(const timespec& since);

  // False when not even the first look saw all.
  bool is_complete() const { return first_was_complete_; }

 private:
  struct Identity {
    ino_t inode = 0;
    int64_t changed_ns = 0;
    bool operator==(const Identity&) const = default;
  };
  struct Folder {
    Identity identity;
    std::vector<std::string> subfolders;
    bool is_git = false;
    bool has_git_file = false;  // Its `.git` is no folder.
    uint64_t seen = 0;          // Number of the look.
  };

  bool walk();
  bool read_folder(const std::string& path, Folder& folder) const;
  bool is_worktree_folder(const std::string& git) const;
  void find_armed(const std::string& git, std::map<std::string, Identity>& armed) const;
  void check_config(const std::string& path, std::map<std::string, Identity>& armed) const;
  void check_git_file(const std::string& path, std::map<std::string, Identity>& armed) const;
  std::map<std::string, Identity> armed_paths() const;
  bool is_older(const std::string& path, int64_t since_ns) const;

  std::mutex mutex_;
  std::string workspace_;
  UniqueFd root_;
  std::unordered_map<std::string, Folder> folders_;  // By path relative to the workspace.
  std::map<std::string, Identity> known_;
  uint64_t number_ = 0;
  bool first_was_complete_ = true;
};

}  // namespace levin::sandbox
