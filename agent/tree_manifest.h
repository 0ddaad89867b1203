// What a work tree holds, as data: every path with its kind, mode bits and content id. Knows
// neither git's object store nor the disk.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace levin::agent {

// Name of a git object (SHA-1).
struct ObjectId {
  std::array<unsigned char, 20> bytes{};

  bool operator==(const ObjectId&) const = default;
  std::string hex() const;
  // Empty when `text` is not 40 hexadecimal digits.
  static std::optional<ObjectId> from_hex(std::string_view text);
};

struct TreeEntry {
  enum class Kind : uint8_t {
    kFile,
    kLink,        // A symbolic link; the id is of its target text.
    kRepository,  // A submodule or nested repository: its commit is known, its files are not.
    kFolder
  };
  Kind kind = Kind::kFile;
  uint32_t mode = 0;  // Permission bits, 07777; 0 for links and repositories.
  ObjectId id;        // Zero for folders.

  bool operator==(const TreeEntry&) const = default;
  bool is_content() const { return kind == Kind::kFile || kind == Kind::kLink; }
};

// Paths relative to the work tree, in byte order; never the work tree itself.
using Manifest = std::map<std::string, TreeEntry>;

// Git's trees keep of all mode bits only the owner's +x, and no empty folders. The rest, as text
// for the message of the commit: the commonest modes, then one line per exception.
std::string encode_modes(const Manifest& manifest);

// Puts into `manifest`, read from git's trees with modes 0644 and 0755, what encode_modes() wrote.
// Errors: kCorrupt.
Result<void> decode_modes(std::string_view text, Manifest* manifest);

// Files and links that are not the same in `now` and in any of `expected`, in order. A path whose
// entry is the one of `wanted` (may be null) does not count.
std::vector<std::string> changed_paths(const Manifest& now,
                                       const std::vector<const Manifest*>& expected,
                                       const Manifest* wanted);

}  // namespace levin::agent
