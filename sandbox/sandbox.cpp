// Policy in, ExitReport out: survey, plan, run, and the look at what was left behind.
#include "sandbox/sandbox.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "sandbox/plan.h"
#include "sandbox/process_state.h"
#include "sandbox/protected_watch.h"
#include "sandbox/seccomp_filter.h"
#include "sandbox/warden_client.h"

namespace levin::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWayOut = "; `--sandbox off` goes on without isolation";

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
  if (policy.profile == Profile::kBrowser) return {};
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
    if (layer.available || !layer.required) continue;
    return Error(ErrorCode::kUnsupported,
                 "no sandbox here: " + layer.name + ": " + layer.detail + kWayOut);
  }
  return Error(ErrorCode::kUnsupported, "no sandbox here: " + trial + kWayOut);
}

// Half of what is free: levin itself, its model and the user's programs need the rest.
int64_t default_memory_limit() {
  constexpr int64_t kLeastBytes = int64_t{512} << 20;
  std::ifstream file("/proc/meminfo");
  std::string name;
  int64_t kilobytes = 0;
  std::string unit;
  while (file >> name >> kilobytes >> unit) {
    if (name == "MemAvailable:") return std::max(kLeastBytes, kilobytes * 1024 / 2);
  }
  return kLeastBytes;
}

}  // namespace

Result<Sandbox> Sandbox::open(Policy policy) {
  if (policy.profile == Profile::kOff) {
    struct stat status {};
    if (::stat(policy.workspace.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
      return Error(ErrorCode::kInvalidArgument,
                   "workspace '" + policy.workspace + "': not an existing folder");
    }
    return Sandbox(std::move(policy));
  }
  auto host = survey_host(policy);
  if (!host)
    return Error(host.error().code(), "no sandbox here: " + host.error().message() + kWayOut);
  CellPlan plan = plan_cell(policy, *host);
  SeccompOptions calls;
  calls.debugging = policy.debugging;
  auto filter = build_seccomp_filter(calls);
  if (!filter) return refusal(filter.error().message());
  plan.seccomp_filter = *std::move(filter);
  if (policy.limits.memory_bytes_max == 0) policy.limits.memory_bytes_max = default_memory_limit();
  Sandbox sandbox(std::move(policy));
  std::vector<CellLayer> layers;
  auto warden = WardenClient::start(plan, &layers);
  if (!warden) return refusal(warden.error().message());
  const bool landlock =
      std::ranges::any_of(layers, [](const CellLayer& layer) { return layer.name == "landlock"; });
  if (!landlock) {
    sandbox.weakenings_.emplace_back(
        "this kernel has no Landlock (version 2 or newer): mounts alone keep files from writes");
  }
  sandbox.warden_ = *std::move(warden);
  sandbox.watch_workspace();
  return sandbox;
}

void Sandbox::watch_workspace() {
  if (policy_.profile != Profile::kWorkspace) return;
  watch_ = std::make_shared<ProtectedWatch>(policy_);
  const std::string weakening = watch_->weakening();
  if (!weakening.empty()) weakenings_.push_back(weakening);
}

Result<Process> Sandbox::start(const Command& command) const {
  TRY(check_command(policy_, command));
  TRY_ASSIGN(CommandPipes pipes, make_pipes(command));
  if (policy_.profile == Profile::kOff) {
    if (command.pty) {
      return Error(ErrorCode::kUnsupported, "a terminal of its own needs a sandbox profile");
    }
    PlainRequest request;
    request.argv = launch_argv(command.argv);
    request.working_folder = policy_.workspace + "/" + command.working_folder;
    for (const auto& [name, value] : policy_.environment) {
      request.environment.push_back(name + "=" + value);
    }
    request.limits = policy_.limits;
    request.fds = pipes.theirs;
    TRY_ASSIGN(std::unique_ptr<Tree> tree, start_plain_tree(request));
    auto state =
        std::make_unique<Process::State>(std::move(tree), std::move(pipes), policy_.limits);
    state->input_from = command.input_from;
    return Process(std::move(state));
  }
  ProtectedWatch::Mark before;
  if (watch_) before = watch_->mark();
  const CommandPlan plan = plan_command(policy_, survey_workspace(policy_), command);
  TRY_ASSIGN(WardenClient::Started started, warden_->start_command(plan, pipes.theirs));
  if (started.terminal) pipes.output = std::move(started.terminal);
  auto state = std::make_unique<Process::State>(make_cell_tree(std::move(started.control)),
                                                std::move(pipes), policy_.limits);
  state->is_terminal = command.pty;
  state->input_from = command.input_from;
  if (policy_.profile == Profile::kWorkspace) {
    state->disk_folder = policy_.workspace;
    state->at_end = [watch = watch_, before = std::move(before)](ExitReport& report) {
      watch->settle(before, report);
    };
  }
  return Process(std::move(state));
}

Result<ExitReport> Sandbox::run(const Command& command, const OutputSink& sink,
                                const std::atomic<bool>* interrupted) const {
  TRY_ASSIGN(Process process, start(command));
  return process.wait(sink, interrupted);
}

Result<UniqueFd> Sandbox::listen(uint16_t port) const {
  if (!warden_) return Error(ErrorCode::kUnsupported, "without a sandbox there is no own network");
  return warden_->make_socket(/*listening=*/true, port);
}

Result<UniqueFd> Sandbox::socket() const {
  if (!warden_) return Error(ErrorCode::kUnsupported, "without a sandbox there is no own network");
  return warden_->make_socket(/*listening=*/false, 0);
}

Sandbox Sandbox::with_wall_limit_ms(int64_t wall_ms) const {
  Sandbox other = *this;
  other.policy_.limits.wall_ms = wall_ms;
  return other;
}

}  // namespace levin::sandbox
