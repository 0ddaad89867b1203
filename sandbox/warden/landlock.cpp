// Constants are spelled here because the headers of the oldest supported system end at version 1.
#include "sandbox/warden/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "sandbox/warden/system.h"

namespace levin::sandbox {
namespace {

// <linux/landlock.h>
constexpr unsigned kCreateVersion = 1;
constexpr int kRulePathBeneath = 1;
constexpr uint64_t kExecute = 1ULL << 0;
constexpr uint64_t kWriteFile = 1ULL << 1;
constexpr uint64_t kReadFile = 1ULL << 2;
constexpr uint64_t kReadFolder = 1ULL << 3;
constexpr uint64_t kRemoveAndMake = 0x1ff0;           // REMOVE_DIR (4) up to MAKE_SYM (12).
constexpr uint64_t kRefer = 1ULL << 13;               // Version 2.
constexpr uint64_t kTruncate = 1ULL << 14;            // Version 3.
constexpr uint64_t kDeviceIoctl = 1ULL << 15;         // Version 5.
constexpr uint64_t kScopeAbstractSocket = 1ULL << 0;  // Version 6.
constexpr uint64_t kScopeSignal = 1ULL << 1;          // Version 6.

struct RulesetAttributes {
  uint64_t handled_fs;
  uint64_t handled_net;
  uint64_t scoped;
};

struct __attribute__((packed)) PathBeneath {
  uint64_t allowed;
  int32_t parent_fd;
};

Result<void> allow(const UniqueFd& rules, const std::string& path, uint64_t rights) {
  const UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return errno == ENOENT ? Result<void>() : system_error("landlock: " + path);
  struct stat status {};
  if (::fstat(place.get(), &status) == 0 && !S_ISDIR(status.st_mode)) {
    rights &= kExecute | kWriteFile | kReadFile | kTruncate | kDeviceIoctl;
  }
  const PathBeneath rule{rights, place.get()};
  if (::syscall(SYS_landlock_add_rule, rules.get(), kRulePathBeneath, &rule, 0U) != 0) {
    return system_error("landlock_add_rule " + path);
  }
  return {};
}

}  // namespace

int landlock_version() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, kCreateVersion);
  return version < 0 ? 0 : static_cast<int>(version);
}

// TCP ports are not handled: the network namespace holds loopback alone, and a development server
// may use any port of it.
Result<UniqueFd> make_landlock_rules(const std::vector<std::string>& folders) {
  const int version = landlock_version();
  if (version < 2) return UniqueFd();
  const uint64_t read = kExecute | kReadFile | kReadFolder;
  uint64_t write = kWriteFile | kRemoveAndMake | kRefer;
  if (version >= 3) write |= kTruncate;
  if (version >= 5) write |= kDeviceIoctl;
  RulesetAttributes attributes{read | write, 0, 0};
  size_t size = sizeof(uint64_t);
  if (version >= 4) size = 2 * sizeof(uint64_t);
  if (version >= 6) {
    size = sizeof(attributes);
    attributes.scoped = kScopeAbstractSocket | kScopeSignal;
  }
  UniqueFd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0U)));
  if (!rules) return system_error("landlock_create_ruleset");
  TRY(allow(rules, "/", read));
  for (const std::string& folder : folders) TRY(allow(rules, folder, read | write));
  return rules;
}

}  // namespace levin::sandbox
