// probe(): each layer of isolation is tried by running `true` in it.
#include <unistd.h>

#include <string>
#include <vector>

#include "base/file_io.h"
#include "sandbox/plan.h"
#include "sandbox/process.h"
#include "sandbox/sandbox.h"

namespace levin::sandbox {
namespace {

constexpr int kVersionMinor = 8;  // 0.8 brought --disable-userns and --size.

struct Trial {
  const char* name;
  std::vector<std::string> arguments;
};

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Result<ExitReport> run_briefly(std::vector<std::string> argv) {
  ProcessRequest request;
  request.argv = std::move(argv);
  request.limits.wall_ms = 10'000;
  request.limits.grace_ms = 500;
  return run_process(request, nullptr, nullptr);
}

std::string setting(const std::string& path) {
  auto content = read_file(path, 256);
  return content ? first_line(*content) : "";
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
    return "AppArmor restricts them: it needs a profile for bwrap, or "
           "kernel.apparmor_restrict_unprivileged_userns=0 (sysctl)";
  }
  return "";
}

Layer try_layer(const std::string& bubblewrap, const Trial& trial) {
  std::vector<std::string> argv = {bubblewrap, "--unshare-user"};
  argv.insert(argv.end(), trial.arguments.begin(), trial.arguments.end());
  argv.insert(argv.end(), {"--", "/bin/sh", "-c", "exit 0"});
  const auto report = run_briefly(std::move(argv));
  Layer layer{trial.name, false, ""};
  if (!report) {
    layer.detail = report.error().message();
  } else if (report->ended_by == EndedBy::kExit && report->exit_code == 0) {
    layer.available = true;
  } else {
    const std::string reason = user_namespace_reason();
    layer.detail = (reason.empty() ? "" : reason + "; ") + first_line(report->output);
    if (reason.empty() && layer.detail.find("not permitted") != std::string::npos) {
      layer.detail += " (inside a container its seccomp or AppArmor profile may forbid it)";
    }
  }
  return layer;
}

Layer try_bubblewrap(const std::string& bubblewrap) {
  Layer layer{"bubblewrap", false, ""};
  const auto report = run_briefly({bubblewrap, "--version"});
  if (!report) {
    layer.detail = report.error().message();
    return layer;
  }
  layer.detail = first_line(report->output);
  int major = 0;
  int minor = 0;
  if (std::sscanf(layer.detail.c_str(), "bubblewrap %d.%d", &major, &minor) == 2) {
    layer.available = major > 0 || minor >= kVersionMinor;
  }
  if (!layer.available) {
    layer.detail += "; 0." + std::to_string(kVersionMinor) + " or newer is needed";
  }
  return layer;
}

}  // namespace

std::vector<Layer> probe() {
  const std::vector<std::string> root = {"--ro-bind", "/", "/"};
  std::vector<Trial> trials = {
      {"user namespace", {}},
      {"no nested user namespaces", {"--disable-userns", "--proc", "/proc"}},
      {"private mounts", {"--size", "65536", "--tmpfs", "/tmp", "--dev", "/dev"}},
      {"pid namespace and /proc", {"--unshare-pid", "--proc", "/proc"}},
      {"network namespace", {"--unshare-net"}},
      {"ipc and uts namespaces", {"--unshare-ipc", "--unshare-uts", "--hostname", "levin"}},
  };
  const std::string bubblewrap = find_bubblewrap();
  std::vector<Layer> layers;
  if (bubblewrap.empty()) {
    layers.push_back({"bubblewrap", false, "not installed; install the package bubblewrap"});
    for (const Trial& trial : trials) layers.push_back({trial.name, false, "needs bubblewrap"});
    return layers;
  }
  layers.push_back(try_bubblewrap(bubblewrap));
  for (Trial& trial : trials) {
    trial.arguments.insert(trial.arguments.begin(), root.begin(), root.end());
    layers.push_back(try_layer(bubblewrap, trial));
  }
  return layers;
}

}  // namespace levin::sandbox
