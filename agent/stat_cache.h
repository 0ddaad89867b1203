// What is known of files since they were last read, so that an unchanged one need not be read
// again. Only ever a shortcut: a lost, old or broken cache costs time, never a wrong answer.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include "agent/tree_manifest.h"

namespace levin::agent {

// A change of content or mode changes ctime, which no program can set.
struct FileStamp {
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  uint64_t size = 0;
  uint64_t inode = 0;
  uint64_t device = 0;
  uint64_t mode = 0;

  bool operator==(const FileStamp&) const = default;
  static FileStamp of(const struct stat& status);
  // Whether a write after `now_ns` could leave the same ctime: clocks tick coarsely.
  bool is_racy(int64_t now_ns) const;
};

struct StatCache {
  struct Known {
    FileStamp stamp;
    ObjectId id;
    uint32_t seen = 0;  // The last reading that met it; not stored.
  };
  uint32_t readings = 0;
  ObjectId base;  // The checkpoint that holds all objects named below.
  std::unordered_map<std::string, Known> files;
  std::unordered_map<std::string, ObjectId> trees;  // Of folders; "" is the work tree.

  // Empty when there is no such file, or it is broken or of another version.
  static StatCache load(const std::string& path);
  // Replaces the file whole. Not flushed: a machine that dies loses a shortcut. Errors: kIo.
  Result<void> save(const std::string& path) const;
};

}  // namespace levin::agent
