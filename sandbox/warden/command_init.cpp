#include "sandbox/warden/command_init.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sandbox/warden/command_exec.h"
#include "sandbox/warden/system.h"
#include "sandbox/wire.h"

namespace levin::sandbox {
namespace {

constexpr int kWatchMs = 50;              // How often the tree is counted where no cgroup does it.
constexpr const char* kOomScore = "500";  // The kernel should take commands before levin.
// Not bound to a namespace, and worth reading for the root user of the machine.
constexpr const char* kCoveredProc[] = {"/proc/kcore", "/proc/kallsyms", "/proc/keys",
                                        "/proc/key-users"};
constexpr const char* kUnreadableNode = "/.unreadable";  // tree.cpp makes it.
constexpr int kNotFound = 127;       // What a shell says about a missing program ...
constexpr int kNotExecutable = 126;  // ... and about one that it may not run.

// What the processes of this namespace use together, as far as /proc tells.
struct Usage {
  int64_t tasks = 0;
  int64_t memory_bytes = 0;
};

int64_t microseconds(const rusage& usage) {
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * int64_t{1'000'000} +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

// What a process has run, with those of its children that it has waited for; 0 when it is gone.
// /proc gives what really ran, in units of 10 ms and never more than it was.
int64_t process_cpu_ms(int pid) {
  char path[64];
  char text[1024] = {};
  std::snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file || ::read(file.get(), text, sizeof(text) - 1) <= 0) return 0;
  // The name in brackets may hold anything, so fields are counted from its end.
  const char* after_name = std::strrchr(text, ')');
  unsigned long long parts[4] = {};
  if (after_name == nullptr ||
      std::sscanf(after_name + 1,
                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &parts[0],
                  &parts[1], &parts[2], &parts[3]) != 4) {
    return 0;
  }
  const auto ticks = static_cast<int64_t>(parts[0] + parts[1] + parts[2] + parts[3]);
  return ticks * 1000 / ::sysconf(_SC_CLK_TCK);
}

Usage count_usage() {
  Usage usage;
  const int64_t page = ::sysconf(_SC_PAGESIZE);
  DIR* folder = ::opendir("/proc");
  if (folder == nullptr) return usage;
  while (const dirent* item = ::readdir(folder)) {
    const int pid = std::atoi(item->d_name);
    if (pid <= 1) continue;
    char path[64];
    char text[256] = {};
    std::snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    if (!file || ::read(file.get(), text, sizeof(text) - 1) <= 0) continue;
    long long size = 0;
    long long resident = 0;
    long long shared = 0;
    std::sscanf(text, "%lld %lld %lld", &size, &resident, &shared);
    usage.memory_bytes += (resident - shared) * page;
    ++usage.tasks;
  }
  ::closedir(folder);
  return usage;
}

// One pass over the tree. A child that its parent reaps between two reads may be counted twice.
int64_t count_cpu_ms() {
  rusage reaped{};
  ::getrusage(RUSAGE_CHILDREN, &reaped);
  int64_t sum = microseconds(reaped) / 1000;
  DIR* folder = ::opendir("/proc");
  if (folder == nullptr) return sum;
  while (const dirent* item = ::readdir(folder)) {
    const int pid = std::atoi(item->d_name);
    if (pid > 1) sum += process_cpu_ms(pid);
  }
  ::closedir(folder);
  return sum;
}

// Never more than the tree has run: what was counted twice in one pass is not in the next one.
bool has_run_longer_than(int64_t cpu_ms_max) {
  return count_cpu_ms() >= cpu_ms_max && count_cpu_ms() >= cpu_ms_max;
}

class CommandInit {
 public:
  CommandInit(const CellContext& context, const CommandPlan& plan, std::vector<UniqueFd> fds,
              UniqueFd control)
      : context_(context), plan_(plan), fds_(std::move(fds)), control_(std::move(control)) {}

  Result<void> prepare();
  Result<void> start();
  void serve();
  void fail(const Error& error) {
    Packet packet;
    packet.kind = Packet::Kind::kFailed;
    packet.set_text(error.message());
    (void)send_packet(control_.get(), packet);
  }

 private:
  Result<void> mount_proc();
  Result<void> guard_workspace();
  Result<void> cover(int workspace, const std::string& path, bool read_only);
  Result<UniqueFd> open_terminal();
  void report_missing_program(int exec_errno);
  void reap();
  void check_usage();
  void check_cpu();
  [[noreturn]] void finish(Packet::Kind kind, int number);

  const CellContext& context_;
  const CommandPlan& plan_;
  std::vector<UniqueFd> fds_;
  UniqueFd control_;
  UniqueFd signals_;
  pid_t command_ = 0;
  int wait_status_ = 0;
  bool command_ended_ = false;
};

// A mount of its own at `path`: a mount point cannot be renamed or removed, and a read-only one
// cannot be changed. Never follows a link, so nothing that a command left can lead us out.
Result<void> CommandInit::cover(int workspace, const std::string& path, bool read_only) {
  const UniqueFd place = open_path(workspace, path.c_str(),
                                   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  if (!place) return system_error("guarding " + path);
  const UniqueFd tree = clone_tree(place.get());
  if (!tree) return system_error("taking " + path);
  if (read_only && !set_mount_attributes(tree.get(), MOUNT_ATTR_RDONLY, /*recursive=*/true)) {
    return system_error("protecting " + path);
  }
  if (!attach(tree.get(), place.get())) return system_error("guarding " + path);
  return {};
}

Result<void> CommandInit::guard_workspace() {
  if (plan_.pins.empty() && plan_.guards.empty()) return {};
  const UniqueFd workspace = open_path(AT_FDCWD, context_.workspace.c_str(), RESOLVE_NO_SYMLINKS);
  if (!workspace) return system_error("opening the workspace");
  for (const std::string& pin : plan_.pins) TRY(cover(workspace.get(), pin, false));
  for (const std::string& guard : plan_.guards) TRY(cover(workspace.get(), guard, true));
  return {};
}

// Read-only as a whole: the root user inside, though without capabilities, would still own
// /proc/sys and could name a program in kernel.core_pattern that runs outside.
Result<void> CommandInit::mount_proc() {
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, nullptr) !=
      0) {
    return system_error("mounting /proc");
  }
  const UniqueFd node = open_path(AT_FDCWD, kUnreadableNode, RESOLVE_NO_SYMLINKS);
  if (!node) return system_error("opening the unreadable node");
  for (const char* path : kCoveredProc) {
    const UniqueFd place = open_path(AT_FDCWD, path, RESOLVE_NO_SYMLINKS);
    if (!place && errno == ENOENT) continue;  // Not every kernel has each of them.
    const UniqueFd cover = clone_tree(node.get());
    if (!place || !cover || !attach(cover.get(), place.get())) {
      return system_error(std::string("covering ") + path);
    }
  }
  return {};
}

Result<void> CommandInit::prepare() {
  // "0" is the writer itself: from here on, all that is cloned is counted.
  for (size_t index = static_cast<size_t>(plan_.fd_count); index < fds_.size(); ++index) {
    if (::write(fds_[index].get(), "0", 1) != 1) return system_error("joining a cgroup");
  }
  fds_.resize(static_cast<size_t>(plan_.fd_count));
  if (::unshare(CLONE_NEWCGROUP) != 0) return system_error("cgroup namespace");
  write_text_file("/proc/self/oom_score_adj", kOomScore);
  TRY(mount_proc());
  TRY(guard_workspace());
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  signals_ = UniqueFd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return system_error("signalfd");
  return {};
}

// The master of a new terminal; its other side becomes the first three descriptors.
Result<UniqueFd> CommandInit::open_terminal() {
  UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master) return system_error("opening a terminal");
  if (::unlockpt(master.get()) != 0) return system_error("unlocking a terminal");
  const winsize size{static_cast<unsigned short>(plan_.rows),
                     static_cast<unsigned short>(plan_.columns), 0, 0};
  ::ioctl(master.get(), TIOCSWINSZ, &size);
  UniqueFd slave(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return system_error("opening the other side of a terminal");
  for (size_t index = 0; index < 3; ++index) {
    fds_[index] = UniqueFd(::fcntl(slave.get(), F_DUPFD_CLOEXEC, 3));
  }
  return master;
}

void CommandInit::report_missing_program(int exec_errno) {
  const bool missing = exec_errno == ENOENT || exec_errno == ENOTDIR;
  const std::string text =
      "levin: " + plan_.argv[0] + ": " + (missing ? "not found" : std::strerror(exec_errno)) + "\n";
  const ssize_t written = ::write(fds_[2].get(), text.data(), text.size());
  (void)written;  // Nobody may be reading.
  wait_status_ = W_EXITCODE(missing ? kNotFound : kNotExecutable, 0);
}

Result<void> CommandInit::start() {
  Packet started;
  started.kind = Packet::Kind::kStarted;
  UniqueFd master;
  if (plan_.pty) {
    TRY_ASSIGN(master, open_terminal());
  }
  std::vector<int> fds;
  for (const UniqueFd& fd : fds_) fds.push_back(fd.get());
  TRY_ASSIGN(const ExecOutcome outcome, start_command(context_, plan_, fds));
  command_ = outcome.pid;
  // Nothing of ours may be worth tracing, and nothing of ours needs a right any more.
  drop_privileges();
  ::prctl(PR_SET_DUMPABLE, 0);
  const int terminal = master.get();
  if (master) {
    TRY(send_packet(control_.get(), started, {&terminal, 1}));
  } else {
    TRY(send_packet(control_.get(), started));
  }
  if (outcome.exec_errno != 0) report_missing_program(outcome.exec_errno);
  const bool failed = outcome.exec_errno != 0;
  fds_.clear();
  if (failed) {
    while (::waitpid(command_, nullptr, 0) < 0 && errno == EINTR) {
    }
    finish(Packet::Kind::kEnded, wait_status_);
  }
  return {};
}

// Kills what is left and reaps it: after that this process is alone in its namespace, so the report
// need not wait until the kernel has taken the namespaces apart.
void CommandInit::finish(Packet::Kind kind, int number) {
  for (;;) {
    ::kill(-1, SIGKILL);
    if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) break;
  }
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  Packet packet;
  packet.kind = kind;
  packet.number = number;
  packet.cpu_us = microseconds(usage);
  packet.peak_memory_bytes = int64_t{usage.ru_maxrss} * 1024;
  packet.written_bytes = int64_t{usage.ru_oublock} * 512;
  (void)send_packet(control_.get(), packet);
  ::_exit(0);
}

void CommandInit::reap() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) > 0) {
  }
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != command_) continue;
    command_ended_ = true;
    wait_status_ = status;
  }
}

void CommandInit::check_usage() {
  const Usage usage = count_usage();
  const bool memory = plan_.memory_bytes_max > 0 && usage.memory_bytes > plan_.memory_bytes_max;
  const bool tasks = plan_.watch_processes && usage.tasks > plan_.processes_max;
  if (!memory && !tasks) return;
  finish(Packet::Kind::kStopped,
         static_cast<int>(memory ? StopCause::kMemory : StopCause::kProcesses));
}

void CommandInit::check_cpu() {
  if (!has_run_longer_than(plan_.cpu_ms_max)) return;
  finish(Packet::Kind::kStopped, static_cast<int>(StopCause::kProcessorTime));
}

void CommandInit::serve() {
  const bool count = plan_.memory_bytes_max > 0 || plan_.watch_processes;
  const bool watch = count || plan_.cpu_ms_max > 0;
  while (!command_ended_) {
    pollfd watched[] = {{control_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    ::poll(watched, std::size(watched), watch ? kWatchMs : -1);
    if (watched[1].revents != 0) reap();
    if (watched[0].revents != 0) {
      const auto request = receive_packet(control_.get(), MSG_DONTWAIT);
      if (!request || request->ended) ::_exit(1);  // Nobody waits for an answer; all die with us.
      if (request->packet.kind == Packet::Kind::kSignal) ::kill(-1, request->packet.number);
    }
    if (count && !command_ended_) check_usage();
    if (plan_.cpu_ms_max > 0 && !command_ended_) check_cpu();
  }
  finish(Packet::Kind::kEnded, wait_status_);
}

}  // namespace

void run_command_init(const CellContext& context, const CommandPlan& plan,
                      std::vector<UniqueFd> fds, UniqueFd control) {
  // Should the warden die: the kernel ends our namespace with the cell's anyway. This is quicker.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  CommandInit init(context, plan, std::move(fds), std::move(control));
  auto done = init.prepare();
  if (done) done = init.start();
  if (!done) {
    init.fail(done.error());
    ::_exit(1);
  }
  init.serve();
  ::_exit(0);
}

}  // namespace levin::sandbox
