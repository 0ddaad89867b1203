#include "sandbox/protected_watch.h"

#include <sys/stat.h>

#include <filesystem>

#include "sandbox/plan.h"
#include "sandbox/quarantine.h"

namespace levin::sandbox {
namespace {

namespace fs = std::filesystem;

// What is on the way from the workspace to a protected path: the kind of each component, and where
// links lead. Equal before and after means that the path means the same.
std::string describe_way(const std::string& workspace, const std::string& relative) {
  std::string way;
  fs::path path = workspace;
  for (const fs::path& name : fs::path(relative)) {
    path /= name;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return way + "-";
    way += S_ISDIR(status.st_mode) ? 'd' : S_ISLNK(status.st_mode) ? 'l' : 'f';
    if (!S_ISLNK(status.st_mode)) continue;
    std::error_code error;
    way += fs::read_symlink(path, error).string() + '\0';
  }
  return way;
}

// The first component that is a link, else the whole: that is what has to go.
std::string until_link(const std::string& workspace, const std::string& relative) {
  fs::path path;
  for (const fs::path& name : fs::path(relative)) {
    path /= name;
    struct stat status {};
    if (::lstat((fs::path(workspace) / path).c_str(), &status) != 0) break;
    if (S_ISLNK(status.st_mode)) break;
  }
  return path.string();
}

}  // namespace

ProtectedWatch::ProtectedWatch(Policy policy)
    : policy_(std::move(policy)), scan_(policy_.workspace) {}

ProtectedWatch::Mark ProtectedWatch::mark() {
  const std::lock_guard lock(mutex_);
  if (running_.empty()) scan_.adopt();
  Mark mark;
  for (const std::string& relative : policy_.protected_paths) {
    mark.ways.push_back(describe_way(policy_.workspace, relative));
  }
  ::clock_gettime(CLOCK_REALTIME_COARSE, &mark.time);
  running_.emplace(mark.time.tv_sec, mark.time.tv_nsec);
  return mark;
}

void ProtectedWatch::quarantine(const std::string& path, ExitReport& report) const {
  if (policy_.quarantine_folder.empty()) {
    report.protected_changes.push_back(path);
    return;
  }
  const auto place = move_to_quarantine(policy_.workspace, path, policy_.quarantine_folder);
  if (place) {
    report.quarantined.push_back({path, *place});
  } else if (place.error().code() != ErrorCode::kNotFound) {
    report.protected_changes.push_back(path + " (" + place.error().message() + ")");
  }
}

void ProtectedWatch::settle(const Mark& before, ExitReport& report) {
  const std::lock_guard lock(mutex_);
  const auto [seconds, nanoseconds] =
      running_.empty() ? std::pair(time_t{0}, 0L) : *running_.begin();
  const auto own = running_.find({before.time.tv_sec, before.time.tv_nsec});
  if (own != running_.end()) running_.erase(own);
  for (size_t index = 0; index < before.ways.size(); ++index) {
    const std::string& path = policy_.protected_paths[index];
    const std::string after = describe_way(policy_.workspace, path);
    if (before.ways[index] == after) continue;
    // What git itself makes there is judged by its content, below.
    if (is_inside(path, ".git")) continue;
    if (after.ends_with('-')) {
      report.protected_changes.push_back(path);
    } else {
      quarantine(until_link(policy_.workspace, path), report);
    }
  }
  const ScanChanges changes = scan_.look({seconds, nanoseconds});
  for (const std::string& path : changes.appeared) quarantine(path, report);
  for (const std::string& path : changes.changed) report.protected_changes.push_back(path);
  if (!changes.is_complete && scan_.is_complete()) {
    report.protected_changes.emplace_back(
        ". (too many folders: git repositories in some of them were not looked at)");
  }
}

std::string ProtectedWatch::weakening() const {
  if (scan_.is_complete()) return "";
  return "the workspace has more than " + std::to_string(kScanFoldersMax) +
         " folders: git repositories that commands make in the rest of them are not looked at";
}

}  // namespace levin::sandbox
