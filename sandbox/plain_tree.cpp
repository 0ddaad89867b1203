// A command without isolation: the leader of a session, and whoever descends from it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/process_tree.h"
#include "sandbox/spawn.h"
#include "sandbox/tree.h"

namespace levin::sandbox {
namespace {

constexpr int kKillRoundsMax = 10'000;  // Of a millisecond: then a process hangs in the kernel.

class PlainTree final : public Tree {
 public:
  PlainTree(pid_t leader, UniqueFd pidfd) : leader_(leader), pidfd_(std::move(pidfd)) {}
  PlainTree(const PlainTree&) = delete;
  PlainTree& operator=(const PlainTree&) = delete;
  ~PlainTree() override {
    if (ended_) return;
    signal(SIGKILL);
    (void)end_all();
  }

  int event_fd() const override { return pidfd_.get(); }
  const TreeEnd& end() const override { return end_; }

  Result<bool> update() override {
    if (ended_) return true;
    pollfd watched{pidfd_.get(), POLLIN, 0};
    if (::poll(&watched, 1, 0) <= 0) return false;
    TRY(end_all());
    return true;
  }

  void signal(int signal_number) override {
    if (signal_number == SIGKILL) {
      // Frozen first: a parent must neither go on with its script nor lose a child to process 1,
      // where it could no longer be found, while the others are being killed.
      signal_pidfd(pidfd_, SIGSTOP);
      signal_processes(tree_of(leader_, leader_), SIGSTOP);
    }
    const auto tree = tree_of(leader_, leader_);
    signal_processes(tree, signal_number);
    signal_pidfd(pidfd_, signal_number);
    if (signal_number == SIGKILL) killed_.insert(killed_.end(), tree.begin(), tree.end());
  }

 private:
  // Until it is reaped, the leader's number cannot mean another session.
  Result<void> end_all() {
    for (int round = 0;; ++round) {
      const auto left = tree_of(leader_, leader_);
      killed_ = still_alive(killed_);  // These may be in a session of their own.
      if (left.empty() && killed_.empty()) break;
      if (round == kKillRoundsMax) {
        return Error(ErrorCode::kIo,
                     "processes that the command left behind do not die by SIGKILL");
      }
      signal_processes(left, SIGKILL);
      const timespec pause{0, 1'000'000};
      ::nanosleep(&pause, nullptr);
    }
    rusage usage{};
    while (::wait4(leader_, &end_.wait_status, 0, &usage) < 0) {
      if (errno == EINTR) continue;
      return Error(ErrorCode::kIo, std::string("waiting for a command: ") + std::strerror(errno));
    }
    ended_ = true;
    end_.cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 +
                  usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    end_.peak_memory_bytes = int64_t{usage.ru_maxrss} * 1024;
    end_.written_bytes = int64_t{usage.ru_oublock} * 512;
    return {};
  }

  pid_t leader_;
  UniqueFd pidfd_;
  bool ended_ = false;
  std::vector<ProcessEntry> killed_;  // What SIGKILL was sent to.
  TreeEnd end_;
};

}  // namespace

Result<std::unique_ptr<Tree>> start_plain_tree(const PlainRequest& request) {
  SpawnRequest spawn_request;
  spawn_request.argv = request.argv;
  spawn_request.environment = request.environment;
  spawn_request.working_folder = request.working_folder;
  spawn_request.limits = request.limits;
  spawn_request.fds = request.fds;
  // Without a user namespace the kernel counts everything this user runs, and exempts root.
  if (::getuid() != 0) {
    spawn_request.processes_max = user_task_count() + request.limits.processes_max;
  }
  TRY_ASSIGN(const pid_t leader, spawn(spawn_request));
  UniqueFd pidfd = open_pidfd(leader);
  if (!pidfd) {
    const Error error(ErrorCode::kIo,
                      std::string("watching a command: pidfd_open: ") + std::strerror(errno));
    ::kill(leader, SIGKILL);
    ::waitpid(leader, nullptr, 0);
    return error;
  }
  return std::unique_ptr<Tree>(std::make_unique<PlainTree>(leader, std::move(pidfd)));
}

}  // namespace levin::sandbox
