// probe(): a cell is built and a command run in it that looks at itself; what was reached is what
// this machine has.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "sandbox/plan.h"
#include "sandbox/process_state.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp_filter.h"
#include "sandbox/warden_client.h"

namespace levin::sandbox {
namespace {

constexpr const char* kLandlock = "landlock";

// In the order in which the warden builds them (warden/main.cpp, warden/cell.cpp).
constexpr const char* kCellLayers[] = {"user namespace",
                                       "mount namespace",
                                       "pid namespace",
                                       "network namespace",
                                       "ipc and uts namespaces",
                                       "private root and /proc",
                                       "no nested user namespaces",
                                       kLandlock};

std::string setting(const std::string& path) {
  auto content = read_file(path, 256);
  return content ? content->substr(0, content->find('\n')) : "";
}

// Why the kernel refuses user namespaces, as far as its settings tell; "" when they do not.
std::string user_namespace_reason() {
  if (::access("/proc/self/ns/user", F_OK) != 0) return "the kernel is built without them";
  if (setting("/proc/sys/user/max_user_namespaces") == "0") {
    return "user.max_user_namespaces is 0 (sysctl)";
  }
  if (setting("/proc/sys/kernel/unprivileged_userns_clone") == "0") {
    return "kernel.unprivileged_userns_clone is 0 (sysctl)";
  }
  if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1") {
    return "AppArmor restricts them: it needs a profile for levin-warden, or "
           "kernel.apparmor_restrict_unprivileged_userns=0 (sysctl)";
  }
  return "";
}

// The warden's own words, with what may be behind them.
std::string explain(const std::string& words) {
  const std::string reason = user_namespace_reason();
  if (!reason.empty()) return reason + "; " + words;
  if (words.find("not permitted") == std::string::npos) return words;
  return words +
         " (inside a container its seccomp or AppArmor profile, or covered parts of /proc, "
         "may forbid it)";
}

// A policy that needs nothing of this machine but its system folders.
Policy trial_policy() {
  Policy policy;
  policy.profile = Profile::kBrowser;
  policy.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", ""}};
  policy.limits.wall_ms = 10'000;
  policy.limits.memory_bytes_max = int64_t{1} << 30;
  return policy;
}

// The value of a line "Name:\tvalue" of /proc/self/status.
std::string status_value(const std::string& status, const std::string& name) {
  const size_t at = status.find("\n" + name + ":\t");
  if (at == std::string::npos) return "?";
  const size_t start = at + name.size() + 3;
  return status.substr(start, status.find('\n', start) - start);
}

// What a command of the cell sees of its own state; an error text when it could not run.
Result<std::string> own_status(const WardenClient& warden, const Policy& policy) {
  Command command;
  command.argv = {"cat", "/proc/self/status"};
  TRY_ASSIGN(CommandPipes pipes, make_pipes(command));
  TRY_ASSIGN(WardenClient::Started started,
             warden.start_command(plan_command(policy, {}, command), pipes.theirs));
  Process process(std::make_unique<Process::State>(make_cell_tree(std::move(started.control)),
                                                   std::move(pipes), policy.limits));
  TRY_ASSIGN(const ExitReport report, process.wait());
  if (report.ended_by == EndedBy::kExit && report.exit_code == 0) return report.output;
  return Error(ErrorCode::kUnsupported, "a trial command failed: " + report.output);
}

void add_command_layers(const Result<std::string>& status, std::vector<Layer>& layers) {
  const auto add = [&](const char* name, bool good, const std::string& detail) {
    layers.push_back({name, good, true, detail});
  };
  if (!status) {
    add("a command in the cell", false, status.error().message());
    return;
  }
  add("a command in the cell", true, "");
  const std::string seccomp = status_value(*status, "Seccomp");
  add("seccomp", seccomp == "2", seccomp == "2" ? "filter mode" : "mode " + seccomp);
  const std::string bounding = status_value(*status, "CapBnd");
  const std::string effective = status_value(*status, "CapEff");
  const bool none = bounding.find_first_not_of('0') == std::string::npos &&
                    effective.find_first_not_of('0') == std::string::npos;
  add("no capabilities", none, none ? "" : "bounding " + bounding + ", effective " + effective);
  add("no_new_privs", status_value(*status, "NoNewPrivs") == "1", "");
}

}  // namespace

std::vector<Layer> probe() {
  std::vector<Layer> layers;
  const auto all_missing = [&](const std::string& why) {
    layers.push_back({"warden", false, true, why});
    return layers;
  };
  const Policy policy = trial_policy();
  const auto host = survey_host(policy);
  if (!host) return all_missing(host.error().message());
  CellPlan plan = plan_cell(policy, *host);
  auto filter = build_seccomp_filter({});
  if (!filter) return all_missing(filter.error().message());
  plan.seccomp_filter = *std::move(filter);
  std::vector<CellLayer> stood;
  const auto warden = WardenClient::start(plan, &stood);
  if (!warden && warden.error().code() == ErrorCode::kNotFound) {
    return all_missing(warden.error().message());
  }
  layers.push_back({"warden", true, true, "levin-warden"});
  bool failed = false;
  for (const char* name : kCellLayers) {
    const auto found =
        std::ranges::find_if(stood, [&](const CellLayer& layer) { return layer.name == name; });
    Layer layer{name, found != stood.end(), std::string(name) != kLandlock, ""};
    if (layer.available) {
      if (found->version > 0) layer.detail = "version " + std::to_string(found->version);
    } else if (!warden) {
      layer.detail = failed ? "not reached" : explain(warden.error().message());
      layer.required = true;
      failed = true;
    } else {
      layer.detail =
          "this kernel has none (or only version 1): mounts alone keep files from writes";
    }
    layers.push_back(std::move(layer));
  }
  if (warden) add_command_layers(own_status(**warden, policy), layers);
  return layers;
}

}  // namespace levin::sandbox
