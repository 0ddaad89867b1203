// What became of the protected paths that could not be mounted over, because they were missing or
// have a link in them: compared before and after each command.
#pragma once

#include <time.h>

#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/policy.h"
#include "sandbox/process.h"
#include "sandbox/repository_scan.h"

namespace levin::sandbox {

// Thread-safe.
class ProtectedWatch {
 public:
  explicit ProtectedWatch(Policy policy);

  struct Mark {
    std::vector<std::string> ways;  // Of each protected path.
    timespec time{};
  };
  // Right before a command. What is there while no other command runs is the user's.
  Mark mark();

  // After it: what it made in the place of protected paths, and in git folders anywhere in the
  // workspace, goes to the policy's quarantine folder. Fills `quarantined` and `protected_changes`.
  void settle(const Mark& before, ExitReport& report);

  // In words for the user; "" when all of the workspace is looked at.
  std::string weakening() const;

 private:
  void quarantine(const std::string& path, ExitReport& report) const;

  const Policy policy_;
  std::mutex mutex_;  // Of running_.
  // When the commands began that have not been settled. What is younger than the first of them may
  // be theirs; one that is never settled makes this only stricter.
  std::multiset<std::pair<time_t, long>> running_;
  RepositoryScan scan_;
};

}  // namespace levin::sandbox
