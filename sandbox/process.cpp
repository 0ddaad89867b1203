#include "sandbox/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/check.h"
#include "base/file_io.h"
#include "sandbox/process_state.h"
#include "sandbox/wire.h"

namespace levin::sandbox {
namespace {

constexpr int64_t kInterruptPollMs = 50;    // How long an interrupt may go unseen.
constexpr int64_t kInterruptGraceMs = 200;  // After it: time to remove a lock file, not more.
constexpr int64_t kRepeatKillMs = 50;       // A tree may fork while it is being killed.
constexpr int64_t kKillMaxMs = 10'000;      // Then a process hangs in the kernel: give up, say so.
constexpr int64_t kDiskLookMs = 100;        // Between two looks at how full the disk is.
constexpr size_t kReadBytes = 64 * 1024;    // The capacity of a pipe.
constexpr size_t kDrainBytesMax = 4 << 20;  // After the end: an escaped writer must not hold us.

using State = Process::State;

Error io_error(const std::string& doing) {
  return Error(ErrorCode::kIo, doing + ": " + std::strerror(errno));
}

void set_nonblocking(const UniqueFd& fd) {
  if (fd) ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

// A file in memory: the command may read as late as it likes, and nobody has to feed a pipe or
// meet SIGPIPE when it does not read at all.
Result<UniqueFd> input_file(const std::string& content) {
  if (content.empty()) {
    UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) return io_error("opening /dev/null");
    return null;
  }
  return memory_file("standard input", content);
}

bool kills_by_default(int signal_number) {
  if (signal_number < 1 || signal_number > SIGSYS) return false;
  for (const int harmless :
       {SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH}) {
    if (signal_number == harmless) return false;
  }
  return true;
}

// One read. False when there was nothing, or never will be.
bool read_output(State& state, const OutputSink& sink) {
  const ssize_t count = ::read(state.output_pipe.get(), state.chunk.data(), state.chunk.size());
  if (count < 0 && errno == EINTR) return true;
  if (count < 0 && errno == EAGAIN) return false;
  if (count <= 0) {  // A terminal says EIO when nobody holds its other side.
    state.output_pipe.reset();
    return false;
  }
  const std::string_view bytes(state.chunk.data(), static_cast<size_t>(count));
  state.output.append(bytes);
  if (sink) sink(bytes);
  return true;
}

int64_t free_bytes(const std::string& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return -1;
  return static_cast<int64_t>(status.f_bavail) * static_cast<int64_t>(status.f_frsize);
}

bool disk_exceeded(State& state, int64_t now) {
  if (state.disk_folder.empty() || now < state.next_disk_look_ms) return false;
  state.next_disk_look_ms = now + kDiskLookMs;
  const int64_t free = free_bytes(state.disk_folder);
  if (state.disk_free_bytes < 0 || free < 0) return false;
  return state.disk_free_bytes - free > state.limits.disk_bytes_max;
}

void begin_ending(State& state, EndedBy cause) {
  state.cause = cause;
  state.next_signal_ms = now_ms();
  const bool at_once = cause == EndedBy::kOutputLimit || cause == EndedBy::kDiskLimit;
  state.next_signal = at_once ? SIGKILL : SIGINT;
}

void advance_ending(State& state) {
  const int64_t now = now_ms();
  state.tree->signal(state.next_signal);
  const bool hurry = state.cause == EndedBy::kInterrupt;
  if (state.next_signal == SIGKILL) {
    if (state.first_kill_ms == 0) state.first_kill_ms = now;
    state.next_signal_ms = now + kRepeatKillMs;
    return;
  }
  state.next_signal = state.next_signal == SIGINT && !hurry ? SIGTERM : SIGKILL;
  state.next_signal_ms =
      now + (hurry ? std::min(kInterruptGraceMs, state.limits.grace_ms) : state.limits.grace_ms);
}

void keep_limits(State& state, const std::atomic<bool>* interrupted) {
  const int64_t now = now_ms();
  if (!state.cause && interrupted != nullptr && interrupted->load()) {
    begin_ending(state, EndedBy::kInterrupt);
  }
  if (!state.cause && now - state.started_ms >= state.limits.wall_ms) {
    begin_ending(state, EndedBy::kTimeout);
  }
  if (!state.cause && state.output.total_bytes() > state.limits.output_bytes_max) {
    begin_ending(state, EndedBy::kOutputLimit);
  }
  if (!state.cause && disk_exceeded(state, now)) begin_ending(state, EndedBy::kDiskLimit);
  if (state.cause && now >= state.next_signal_ms) advance_ending(state);
}

// Our end of the command's input; -1 when it has none.
int input_end(const State& state) {
  return state.is_terminal ? state.output_pipe.get() : state.input_pipe.get();
}

// Writes without ever raising SIGPIPE: a command that reads no more must not end us.
ssize_t write_quietly(int fd, std::string_view bytes) {
  sigset_t pipe_signal;
  sigset_t before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t count = ::write(fd, bytes.data(), bytes.size());
  const int error = errno;
  if (count < 0 && error == EPIPE) {
    const timespec none{};
    ::sigtimedwait(&pipe_signal, nullptr, &none);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return count;
}

// One step of passing input on: read a piece, or write what is left of it.
void pass_input(State& state) {
  constexpr char kEndOfFile = 4;  // Ctrl-D, as a terminal wants it.
  if (state.pending_input.empty()) {
    char piece[4096];
    const ssize_t count = ::read(state.input_from, piece, sizeof(piece));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) {
      state.input_from = -1;
      if (state.is_terminal) {
        (void)write_quietly(input_end(state), {&kEndOfFile, 1});
      } else {
        state.input_pipe.reset();
      }
      return;
    }
    state.pending_input.assign(piece, static_cast<size_t>(count));
  }
  const ssize_t written = write_quietly(input_end(state), state.pending_input);
  if (written < 0 && errno != EAGAIN && errno != EINTR) {
    state.input_from = -1;
    if (!state.is_terminal) state.input_pipe.reset();
  }
  if (written > 0) state.pending_input.erase(0, static_cast<size_t>(written));
}

// Waits for output, input, an end or the next thing that is due.
void poll_once(State& state, const OutputSink& sink, const std::atomic<bool>* interrupted) {
  const int64_t due = state.cause ? state.next_signal_ms : state.started_ms + state.limits.wall_ms;
  int64_t timeout = std::clamp<int64_t>(due - now_ms(), 0, 1'000);
  if (interrupted != nullptr && !state.cause) timeout = std::min(timeout, kInterruptPollMs);
  if (!state.disk_folder.empty()) timeout = std::min(timeout, kDiskLookMs);
  // poll(2) passes over negative descriptors.
  pollfd watched[] = {
      {state.tree->event_fd(), POLLIN, 0}, {state.output_pipe.get(), POLLIN, 0}, {-1, 0, 0}};
  if (state.input_from >= 0 && input_end(state) >= 0) {
    watched[2] = state.pending_input.empty() ? pollfd{state.input_from, POLLIN, 0}
                                             : pollfd{input_end(state), POLLOUT, 0};
  }
  if (::poll(watched, std::size(watched), static_cast<int>(timeout)) <= 0) return;
  if (watched[1].revents != 0) read_output(state, sink);
  if (watched[2].revents != 0) pass_input(state);
}

void drain(State& state, const OutputSink& sink) {
  const size_t most = state.output.total_bytes() + kDrainBytesMax;
  while (state.output_pipe && state.output.total_bytes() < most && read_output(state, sink)) {
  }
}

void set_outcome(ExitReport& report, const TreeEnd& end) {
  const int status = end.wait_status;
  // A shell gives a death by signal n on as exit code 128 + n, so that is what it usually means.
  const int through_shell = WIFEXITED(status) ? WEXITSTATUS(status) - 128 : 0;
  if (end.stop_cause == static_cast<int>(StopCause::kProcessorTime)) {
    report.ended_by = EndedBy::kSignal;  // What the kernel's own limit would have sent.
    report.signal_number = SIGXCPU;
  } else if (end.stop_cause != 0) {
    report.ended_by = end.stop_cause == static_cast<int>(StopCause::kMemory)
                          ? EndedBy::kMemoryLimit
                          : EndedBy::kProcessLimit;
  } else if (WIFSIGNALED(status)) {
    report.ended_by = EndedBy::kSignal;
    report.signal_number = WTERMSIG(status);
  } else if (kills_by_default(through_shell)) {
    report.ended_by = EndedBy::kSignal;
    report.signal_number = through_shell;
  } else {
    report.exit_code = WEXITSTATUS(status);
  }
}

}  // namespace

int64_t now_ms() {
  using std::chrono::steady_clock;
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             steady_clock::now().time_since_epoch())
      .count();
}

Result<CommandPipes> make_pipes(const Command& command) {
  if (command.pty && (command.input_pipe || !command.standard_input.empty())) {
    return Error(ErrorCode::kInvalidArgument, "a command with a terminal takes no other input");
  }
  CommandPipes pipes;
  UniqueFd input;
  int ends[2];
  if (command.input_pipe) {
    if (::pipe2(ends, O_CLOEXEC) != 0) return io_error("starting a command: pipe");
    input = UniqueFd(ends[0]);
    pipes.input = UniqueFd(ends[1]);
    set_nonblocking(pipes.input);
  } else {
    TRY_ASSIGN(input, input_file(command.standard_input));
  }
  pipes.theirs.push_back(input.get());
  pipes.opened.push_back(std::move(input));
  if (command.output_file >= 0 || command.pty) {
    const int target = command.pty ? pipes.theirs[0] : command.output_file;
    pipes.theirs.insert(pipes.theirs.end(), {target, target});
  } else {
    if (::pipe2(ends, O_CLOEXEC) != 0) return io_error("starting a command: pipe");
    pipes.output = UniqueFd(ends[0]);
    pipes.opened.emplace_back(ends[1]);
    pipes.theirs.insert(pipes.theirs.end(), {ends[1], ends[1]});
  }
  pipes.theirs.insert(pipes.theirs.end(), command.extra_fds.begin(), command.extra_fds.end());
  return pipes;
}

State::State(std::unique_ptr<Tree> its_tree, CommandPipes pipes, const Limits& its_limits)
    : tree(std::move(its_tree)),
      output_pipe(std::move(pipes.output)),
      input_pipe(std::move(pipes.input)),
      limits(its_limits),
      output(its_limits.output_head_bytes, its_limits.output_tail_bytes),
      chunk(kReadBytes, '\0'),
      started_ms(now_ms()) {
  set_nonblocking(output_pipe);
}

Process::Process(std::unique_ptr<State> state) : state_(std::move(state)) {
  if (!state_->disk_folder.empty()) state_->disk_free_bytes = free_bytes(state_->disk_folder);
}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;

Process::~Process() {
  // Closing the control socket would do; asked in words, the tree is gone a little sooner.
  if (state_ && !state_->ended) state_->tree->signal(SIGKILL);
}

int Process::output_fd() const {
  return state_->output_pipe.get();
}

Result<size_t> Process::write_input(std::string_view bytes) {
  const int fd = input_end(*state_);
  if (fd < 0) return Error(ErrorCode::kInvalidArgument, "this command takes no input");
  const ssize_t count = write_quietly(fd, bytes);
  if (count >= 0) return static_cast<size_t>(count);
  if (errno == EAGAIN || errno == EINTR) return size_t{0};
  return Error(ErrorCode::kIo, std::string("input of a command: ") + std::strerror(errno));
}

void Process::close_input() {
  state_->input_pipe.reset();
}

void Process::signal(int signal_number) {
  if (!state_->ended) state_->tree->signal(signal_number);
}

int Process::event_fd() const {
  return state_->tree->event_fd();
}

bool Process::has_ended() {
  if (state_->ended) return true;
  const Result<bool> ended = state_->tree->update();
  if (!ended) state_->failure = ended.error();
  if (ended && !*ended) return false;
  state_->ended = true;
  state_->ended_ms = now_ms();
  return true;
}

Result<ExitReport> Process::report() {
  CHECK(state_->ended);
  if (state_->failure) return *state_->failure;
  ExitReport report;
  const TreeEnd& end = state_->tree->end();
  report.wall_ms = state_->ended_ms - state_->started_ms;
  report.cpu_ms = end.cpu_us / 1000;
  report.peak_memory_bytes = end.peak_memory_bytes;
  report.written_bytes = end.written_bytes;
  OutputBuffer::Kept kept = state_->output.kept();
  report.output = std::move(kept.bytes);
  report.output_cut_at = kept.cut_at;
  report.output_bytes = state_->output.total_bytes();
  if (state_->cause) {
    report.ended_by = *state_->cause;
  } else {
    set_outcome(report, end);
  }
  if (state_->at_end) state_->at_end(report);
  return report;
}

Result<ExitReport> Process::wait(const OutputSink& sink, const std::atomic<bool>* interrupted) {
  while (!has_ended()) {
    keep_limits(*state_, interrupted);
    if (state_->first_kill_ms != 0 && now_ms() - state_->first_kill_ms > kKillMaxMs) {
      return Error(ErrorCode::kIo,
                   "a process of the command does not die by SIGKILL; it hangs in the kernel "
                   "(often a dead network or FUSE mount)");
    }
    poll_once(*state_, sink, interrupted);
  }
  drain(*state_, sink);
  return report();
}

}  // namespace levin::sandbox
