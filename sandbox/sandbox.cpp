// Policy in, ExitReport out: survey, plan, run, and the look at what was left behind.
#include "sandbox/sandbox.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <filesystem>

#include "sandbox/plan.h"
#include "sandbox/process.h"

namespace levin::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWayOut = "; `--sandbox off` goes on without isolation";

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

std::vector<std::string> describe_ways(const Policy& policy) {
  std::vector<std::string> ways;
  if (policy.profile != Profile::kWorkspace) return ways;
  for (const std::string& relative : policy.protected_paths) {
    ways.push_back(describe_way(policy.workspace, relative));
  }
  return ways;
}

Result<void> check_command(const Policy& policy, const Command& command) {
  if (command.argv.empty()) return Error(ErrorCode::kInvalidArgument, "a command without argv");
  const fs::path folder = command.working_folder;
  if (folder.is_absolute()) {
    return Error(ErrorCode::kInvalidArgument,
                 "working folder '" + command.working_folder + "' is not relative");
  }
  for (const fs::path& name : folder) {
    if (name == "..") {
      return Error(ErrorCode::kInvalidArgument,
                   "working folder '" + command.working_folder + "' has '..' in it");
    }
  }
  struct stat status {};
  const std::string path = policy.workspace + "/" + command.working_folder;
  if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return Error(ErrorCode::kNotFound, "working folder '" + command.working_folder +
                                           "' is not a folder of the workspace");
  }
  return {};
}

// Of all layers the first that is missing; the trial's own words when none is.
Error refusal(const std::string& trial) {
  for (const Layer& layer : probe()) {
    if (layer.available) continue;
    return Error(ErrorCode::kUnsupported,
                 "no sandbox here: " + layer.name + ": " + layer.detail + kWayOut);
  }
  return Error(ErrorCode::kUnsupported, "no sandbox here: " + trial + kWayOut);
}

}  // namespace

Result<Sandbox> Sandbox::open(Policy policy) {
  if (policy.profile == Profile::kOff) {
    struct stat status {};
    if (::stat(policy.workspace.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
      return Error(ErrorCode::kInvalidArgument,
                   "workspace '" + policy.workspace + "': not an existing folder");
    }
    return Sandbox(std::move(policy), HostView{});
  }
  auto host = survey_host(policy);
  if (!host)
    return Error(host.error().code(), "no sandbox here: " + host.error().message() + kWayOut);
  Sandbox sandbox(std::move(policy), *std::move(host));
  const auto trial = sandbox.run({{"/bin/sh", "-c", "exit 0"}, "", ""});
  if (!trial) return refusal(trial.error().message());
  if (trial->ended_by != EndedBy::kExit || trial->exit_code != 0) {
    return refusal("a trial command failed: " + trial->output);
  }
  return sandbox;
}

Result<ExitReport> Sandbox::run(const Command& command, const OutputSink& sink,
                                const std::atomic<bool>* interrupted) const {
  TRY(check_command(policy_, command));
  ProcessRequest request;
  request.limits = policy_.limits;
  request.standard_input = command.standard_input;
  const std::vector<std::string> launch = launch_argv(command.argv);
  if (policy_.profile == Profile::kOff) {
    request.argv = launch;
    request.working_folder = policy_.workspace + "/" + command.working_folder;
    for (const auto& [name, value] : policy_.environment) {
      request.environment.push_back(name + "=" + value);
    }
    return run_process(request, sink, interrupted);
  }
  // bwrap itself gets an empty environment: whatever it had could be read in /proc/1/environ.
  request.bubblewrap = true;
  request.argv = plan_bubblewrap(policy_, host_, survey_workspace(policy_), {kStatusFd, kBlockFd},
                                 command.working_folder);
  request.argv.insert(request.argv.end(), launch.begin(), launch.end());
  const std::vector<std::string> before = describe_ways(policy_);
  TRY_ASSIGN(ExitReport report, run_process(request, sink, interrupted));
  const std::vector<std::string> after = describe_ways(policy_);
  for (size_t index = 0; index < before.size(); ++index) {
    if (before[index] == after[index]) continue;
    report.protected_changes.push_back(policy_.protected_paths[index]);
  }
  return report;
}

Sandbox Sandbox::with_wall_limit_ms(int64_t wall_ms) const {
  Sandbox other = *this;
  other.policy_.limits.wall_ms = wall_ms;
  return other;
}

}  // namespace levin::sandbox
