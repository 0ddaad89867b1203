// What running a command in the sandbox costs: a bare posix_spawn, bubblewrap where it is
// installed, and ours; and how long a cell takes to set up and a large tree to kill. CSV.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "sandbox/sandbox.h"

namespace {

namespace sandbox = levin::sandbox;

constexpr int kRounds = 200;
constexpr const char* kTrue = "/bin/true";

double ms_of(const std::function<bool()>& action) {
  const auto start = std::chrono::steady_clock::now();
  if (!action()) {
    std::fprintf(stderr, "sandbox_bench: a command failed\n");
    std::exit(1);
  }
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

void measure(const char* name, int rounds, const std::function<bool()>& action) {
  std::vector<double> times;
  for (int warm = 0; warm < 3; ++warm) ms_of(action);
  for (int round = 0; round < rounds; ++round) times.push_back(ms_of(action));
  std::ranges::sort(times);
  const auto at = [&](double share) {
    return times[static_cast<size_t>(share * static_cast<double>(times.size() - 1))];
  };
  std::printf("%s,%d,%.3f,%.3f\n", name, rounds, at(0.5), at(0.99));
  std::fflush(stdout);
}

bool spawn_and_wait(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (::posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return false;
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && status == 0;
}

sandbox::Policy policy_for(const std::string& folder) {
  sandbox::Policy policy;
  policy.profile = sandbox::Profile::kWorkspace;
  policy.workspace = folder;
  policy.protected_paths = sandbox::default_protected_paths(folder);
  policy.environment = sandbox::default_environment(environ, policy.profile);
  return policy;
}

bool run_true(const sandbox::Sandbox& box) {
  const auto report = box.run({.argv = {kTrue}});
  return report && report->ended_by == sandbox::EndedBy::kExit && report->exit_code == 0;
}

// Starts `count` sleeping processes, then ends them all.
double kill_ms(const sandbox::Sandbox& box, int count) {
  auto process = box.start({.argv = {"/bin/sh", "-c",
                                     "i=0; while [ $i -lt " + std::to_string(count) +
                                         " ]; do sleep 3600 & i=$((i+1)); done; echo up; wait"}});
  if (!process) return -1;
  char bytes[16];
  while (::read(process->output_fd(), bytes, sizeof(bytes)) <= 0 && !process->has_ended()) {
    ::usleep(1000);
  }
  return ms_of([&] {
    process->signal(SIGKILL);
    return process->wait().has_value();
  });
}

}  // namespace

int main() {
  std::string folder = "/tmp/levin-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  std::filesystem::create_directories(folder + "/.git/hooks");
  std::printf("what,rounds,median_ms,p99_ms\n");
  measure("posix_spawn", kRounds, [] { return spawn_and_wait({kTrue}); });
  if (::access("/usr/bin/bwrap", X_OK) == 0) {
    measure("bubblewrap", kRounds, [&] {
      return spawn_and_wait({"/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc",
                             "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--", kTrue});
    });
  }
  auto box = sandbox::Sandbox::open(policy_for(folder));
  if (!box) {
    std::fprintf(stderr, "sandbox_bench: %s\n", box.error().message().c_str());
    return 1;
  }
  measure("levin command", kRounds, [&] { return run_true(*box); });
  measure("levin session", 50,
          [&] { return sandbox::Sandbox::open(policy_for(folder)).has_value(); });
  const double killed = kill_ms(*box, 1000);
  std::printf("levin kill 1000 processes,1,%.3f,%.3f\n", killed, killed);
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  return 0;
}
