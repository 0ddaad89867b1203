#include "sandbox/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/file_io.h"
#include "base/unique_fd.h"
#include "sandbox/output_buffer.h"
#include "sandbox/process_tree.h"
#include "sandbox/spawn.h"

namespace levin::sandbox {
namespace {

constexpr int64_t kInterruptPollMs = 50;    // How long an interrupt may go unseen.
constexpr int64_t kInterruptGraceMs = 200;  // After it: time to remove a lock file, not more.
constexpr int64_t kRepeatKillMs = 20;       // A tree may fork while it is being killed.
constexpr int64_t kKillMaxMs = 10'000;      // Then a process hangs in the kernel: give up, say so.
constexpr size_t kReadBytes = 64 * 1024;    // The capacity of a pipe.
constexpr size_t kDrainBytesMax = 4 << 20;  // After the end: an escaped writer must not hold us.
constexpr size_t kStatusBytesMax = 16 * 1024;

int64_t now_ms() {
  using std::chrono::steady_clock;
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             steady_clock::now().time_since_epoch())
      .count();
}

Error io_error(const std::string& doing) {
  return Error(ErrorCode::kIo, doing + ": " + std::strerror(errno));
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return io_error("starting a command: pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void set_nonblocking(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

// A file in memory: the command may read as late as it likes, and nobody has to feed a pipe or
// meet SIGPIPE when it does not read at all.
Result<UniqueFd> input_file(const std::string& content) {
  if (content.empty()) {
    UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) return io_error("opening /dev/null");
    return null;
  }
  UniqueFd file(::memfd_create("standard input", MFD_CLOEXEC));
  if (!file) return io_error("starting a command: memfd_create");
  TRY(write_all(file.get(), content, "standard input of a command"));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return io_error("starting a command: lseek");
  return file;
}

bool kills_by_default(int signal_number) {
  if (signal_number < 1 || signal_number > SIGSYS) return false;
  for (const int harmless :
       {SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH}) {
    if (signal_number == harmless) return false;
  }
  return true;
}

// The number after `"name":` in bwrap's status lines, once its whole line has come.
std::optional<int> status_number(const std::string& status, const char* name) {
  const std::string key = std::string("\"") + name + "\":";
  size_t start = status.find(key);
  if (start == std::string::npos || status.find('}', start) == std::string::npos) return {};
  start = status.find_first_not_of(' ', start + key.size());
  int value = 0;
  const auto parsed = std::from_chars(status.data() + start, status.data() + status.size(), value);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

class Run {
 public:
  Run(const ProcessRequest& request, const OutputSink& sink, const std::atomic<bool>* interrupted)
      : request_(request),
        limits_(request.limits),
        sink_(sink),
        interrupted_(interrupted),
        output_(limits_.output_head_bytes, limits_.output_tail_bytes) {}

  Result<void> start();
  Result<void> wait();
  Result<ExitReport> report();

 private:
  void poll_once();
  bool read_output();
  void read_status();
  void release(pid_t init);
  void begin_ending(EndedBy cause);
  void advance_ending();
  void signal_tree(int signal_number);
  Result<void> end_tree();
  void drain();
  Result<int> reap();

  const ProcessRequest& request_;
  const Limits& limits_;
  const OutputSink& sink_;
  const std::atomic<bool>* interrupted_;
  OutputBuffer output_;
  std::string chunk_;

  UniqueFd output_pipe_;
  UniqueFd status_pipe_;
  UniqueFd block_pipe_;  // bwrap's child waits until this is closed.
  pid_t leader_ = 0;     // Our child: bwrap, or the command itself.
  UniqueFd leader_pidfd_;
  pid_t init_ = 0;  // Process 1 of the sandbox, as seen from here; 0 until bwrap told.
  UniqueFd init_pidfd_;
  std::string status_;
  bool leader_ended_ = false;
  std::vector<ProcessEntry> killed_;  // Not bwrap's: what SIGKILL was sent to.

  int64_t started_ms_ = 0;
  std::optional<EndedBy> cause_;  // Why we are ending it, once we are.
  int next_signal_ = SIGINT;      // Of SIGINT, SIGTERM, SIGKILL: the one that comes next.
  int64_t next_signal_ms_ = 0;    // When it is due.
  int64_t first_kill_ms_ = 0;     // When SIGKILL was sent for the first time.
};

Result<void> Run::start() {
  started_ms_ = now_ms();
  TRY_ASSIGN(const UniqueFd input, input_file(request_.standard_input));
  TRY_ASSIGN(Pipe output, make_pipe());
  SpawnRequest spawn_request;
  spawn_request.argv = request_.argv;
  spawn_request.environment = request_.environment;
  spawn_request.working_folder = request_.working_folder;
  spawn_request.limits = limits_;
  spawn_request.fds = {input.get(), output.write.get(), output.write.get()};
  Pipe status;
  Pipe block;
  if (request_.bubblewrap) {
    TRY_ASSIGN(status, make_pipe());
    TRY_ASSIGN(block, make_pipe());
    spawn_request.fds.push_back(status.write.get());
    spawn_request.fds.push_back(block.read.get());
  } else if (::getuid() != 0) {
    // Without a user namespace the kernel counts everything this user runs, and exempts root.
    spawn_request.processes_max = user_task_count() + limits_.processes_max;
  }
  TRY_ASSIGN(leader_, spawn(spawn_request));
  leader_pidfd_ = open_pidfd(leader_);
  if (!leader_pidfd_) {
    const Error error = io_error("watching a command: pidfd_open (needs Linux 5.3)");
    ::kill(leader_, SIGKILL);
    ::waitpid(leader_, nullptr, 0);
    return error;
  }
  output_pipe_ = std::move(output.read);
  status_pipe_ = std::move(status.read);
  block_pipe_ = std::move(block.write);
  set_nonblocking(output_pipe_);
  if (status_pipe_) set_nonblocking(status_pipe_);
  chunk_.resize(kReadBytes);
  return {};
}

Result<void> Run::wait() {
  while (!leader_ended_) {
    const int64_t now = now_ms();
    if (!cause_ && interrupted_ != nullptr && interrupted_->load()) {
      begin_ending(EndedBy::kInterrupt);
    }
    if (!cause_ && now - started_ms_ >= limits_.wall_ms) begin_ending(EndedBy::kTimeout);
    if (!cause_ && output_.total_bytes() > limits_.output_bytes_max) {
      begin_ending(EndedBy::kOutputLimit);
    }
    if (cause_ && now >= next_signal_ms_) advance_ending();
    if (first_kill_ms_ != 0 && now - first_kill_ms_ > kKillMaxMs) {
      return Error(ErrorCode::kIo,
                   "a process of the command does not die by SIGKILL; it hangs in "
                   "the kernel (often a dead network or FUSE mount)");
    }
    poll_once();
  }
  TRY(end_tree());
  drain();
  return {};
}

void Run::poll_once() {
  const int64_t due = cause_ ? next_signal_ms_ : started_ms_ + limits_.wall_ms;
  int64_t timeout = std::clamp<int64_t>(due - now_ms(), 0, 1'000);
  if (interrupted_ != nullptr && !cause_) timeout = std::min(timeout, kInterruptPollMs);
  // poll(2) passes over negative descriptors.
  pollfd watched[] = {{leader_pidfd_.get(), POLLIN, 0},
                      {output_pipe_.get(), POLLIN, 0},
                      {status_pipe_.get(), POLLIN, 0}};
  if (::poll(watched, std::size(watched), static_cast<int>(timeout)) <= 0) return;
  if (watched[1].revents != 0) read_output();
  if (watched[2].revents != 0) read_status();
  leader_ended_ = watched[0].revents != 0;
}

// One read. False when there was nothing, or never will be.
bool Run::read_output() {
  const ssize_t count = ::read(output_pipe_.get(), chunk_.data(), chunk_.size());
  if (count < 0) return errno == EINTR;
  if (count == 0) {
    output_pipe_.reset();
    return false;
  }
  const std::string_view bytes(chunk_.data(), static_cast<size_t>(count));
  output_.append(bytes);
  if (sink_) sink_(bytes);
  return true;
}

void Run::read_status() {
  char bytes[1024];
  const ssize_t count = ::read(status_pipe_.get(), bytes, sizeof(bytes));
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0 || status_.size() > kStatusBytesMax) {
    status_pipe_.reset();
    return;
  }
  status_.append(bytes, static_cast<size_t>(count));
  const auto init = status_number(status_, "child-pid");
  if (init && init_ == 0) release(*init);
}

// The sandbox exists and waits. Its process limit is set only now: inside, the kernel counts the
// processes of this user namespace alone (Linux 5.14), not all that the user runs.
void Run::release(pid_t init) {
  init_ = init;
  init_pidfd_ = open_pidfd(init);
  const auto most = static_cast<rlim_t>(limits_.processes_max);
  rlimit processes{};
  if (::prlimit(init, RLIMIT_NPROC, nullptr, &processes) == 0) {
    processes.rlim_max = std::min(processes.rlim_max, most);
    processes.rlim_cur = processes.rlim_max;
    ::prlimit(init, RLIMIT_NPROC, &processes, nullptr);
  }
  block_pipe_.reset();
}

void Run::begin_ending(EndedBy cause) {
  cause_ = cause;
  next_signal_ms_ = now_ms();
  next_signal_ = cause == EndedBy::kOutputLimit ? SIGKILL : SIGINT;
}

void Run::advance_ending() {
  const int64_t now = now_ms();
  signal_tree(next_signal_);
  const bool hurry = cause_ == EndedBy::kInterrupt;
  if (next_signal_ == SIGKILL) {
    if (first_kill_ms_ == 0) first_kill_ms_ = now;
    next_signal_ms_ = now + kRepeatKillMs;
    return;
  }
  next_signal_ = next_signal_ == SIGINT && !hurry ? SIGTERM : SIGKILL;
  next_signal_ms_ =
      now + (hurry ? std::min(kInterruptGraceMs, limits_.grace_ms) : limits_.grace_ms);
}

void Run::signal_tree(int signal_number) {
  if (!request_.bubblewrap) {
    if (signal_number == SIGKILL) {
      // Frozen first: a parent must neither go on with its script nor lose a child to process 1,
      // where it could no longer be found, while the others are being killed.
      signal_pidfd(leader_pidfd_, SIGSTOP);
      signal_processes(tree_of(leader_, leader_), SIGSTOP);
    }
    const auto tree = tree_of(leader_, leader_);
    signal_processes(tree, signal_number);
    signal_pidfd(leader_pidfd_, signal_number);
    if (signal_number == SIGKILL) killed_.insert(killed_.end(), tree.begin(), tree.end());
    return;
  }
  if (signal_number != SIGKILL && init_ != 0) {
    signal_processes(tree_of(init_, 0), signal_number);
    return;
  }
  // The kernel kills every process of a PID namespace with its init. Before there is one, bwrap
  // takes what it has made with it (--die-with-parent).
  if (signal_number == SIGKILL) signal_pidfd(init_pidfd_ ? init_pidfd_ : leader_pidfd_, SIGKILL);
}

// The leader has ended but is not reaped yet, so its number cannot mean another session.
Result<void> Run::end_tree() {
  const int64_t deadline = now_ms() + kKillMaxMs;
  const auto stuck = [] {
    return Error(ErrorCode::kIo, "processes that the command left behind do not die by SIGKILL");
  };
  if (request_.bubblewrap) {
    if (!init_pidfd_) return {};
    // bwrap returns when the command has ended; what the command left behind dies with init, and
    // init becomes readable here only after all of it is gone.
    signal_pidfd(init_pidfd_, SIGKILL);
    pollfd watched{init_pidfd_.get(), POLLIN, 0};
    while (::poll(&watched, 1, static_cast<int>(kRepeatKillMs)) <= 0) {
      if (now_ms() > deadline) return stuck();
      while (output_pipe_ && read_output()) {
      }
    }
    return {};
  }
  for (;;) {
    const auto left = tree_of(leader_, leader_);
    killed_ = still_alive(killed_);  // These may be in a session of their own.
    if (left.empty() && killed_.empty()) return {};
    if (now_ms() > deadline) return stuck();
    signal_processes(left, SIGKILL);
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

void Run::drain() {
  const size_t most = output_.total_bytes() + kDrainBytesMax;
  while (output_pipe_ && output_.total_bytes() < most && read_output()) {
  }
  while (status_pipe_) {
    const size_t before = status_.size();
    read_status();
    if (status_.size() == before) break;
  }
}

Result<int> Run::reap() {
  int wait_status = 0;
  while (::waitpid(leader_, &wait_status, 0) < 0) {
    if (errno != EINTR) return io_error("waiting for a command");
  }
  return wait_status;
}

Result<ExitReport> Run::report() {
  TRY_ASSIGN(const int wait_status, reap());
  ExitReport report;
  report.wall_ms = now_ms() - started_ms_;
  OutputBuffer::Kept kept = output_.kept();
  report.output = std::move(kept.bytes);
  report.output_cut_at = kept.cut_at;
  report.output_bytes = output_.total_bytes();
  std::optional<int> code;
  if (request_.bubblewrap) {
    code = status_number(status_, "exit-code");
  } else if (WIFEXITED(wait_status)) {
    code = WEXITSTATUS(wait_status);
  }
  if (cause_) {
    report.ended_by = *cause_;
  } else if (code && kills_by_default(*code - 128)) {
    report.ended_by = EndedBy::kSignal;
    report.signal_number = *code - 128;
  } else if (code) {
    report.exit_code = *code;
  } else if (WIFSIGNALED(wait_status)) {
    report.ended_by = EndedBy::kSignal;
    report.signal_number = WTERMSIG(wait_status);
  } else {
    return Error(ErrorCode::kIo, "the sandbox could not be set up: " +
                                     report.output.substr(0, report.output.find('\n')));
  }
  return report;
}

}  // namespace

Result<ExitReport> run_process(const ProcessRequest& request, const OutputSink& sink,
                               const std::atomic<bool>* interrupted) {
  Run run(request, sink, interrupted);
  TRY(run.start());
  // A child that cannot be waited for stays a zombie; that is part of the error.
  TRY(run.wait());
  return run.report();
}

}  // namespace levin::sandbox
