#include "tools/job_table.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/unique_fd.h"
#include "sandbox/output_buffer.h"

namespace levin::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kInputRetryMs = 20;     // A command that does not read its input is asked again.
constexpr int64_t kPollMs = 1'000;        // The longest sleep of a job's thread.
constexpr int64_t kInterruptPollMs = 50;  // How long an interrupt of a look may go unseen.
constexpr size_t kReadBytes = 64 * 1024;
constexpr int kDrainReadsMax = 64;  // After the end: an escaped writer must not hold us.

constexpr int64_t kDiskLookMs = 100;      // Between two looks at how full the disk is.

// -1 where nobody can say.
int64_t free_bytes(const std::string& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return -1;
  return static_cast<int64_t>(status.f_bavail) * static_cast<int64_t>(status.f_frsize);
}

int64_t ms_since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

}  // namespace

class JobTable::Job {
 public:
  Job(std::string id, sandbox::Process process, std::vector<std::string> argv,
      const sandbox::Policy& policy, sandbox::AuditLog* audit, UniqueFd wake)
      : id_(std::move(id)),
        argv_(std::move(argv)),
        limits_(policy.limits),
        disk_folder_(policy.profile == sandbox::Profile::kWorkspace ? policy.workspace : ""),
        disk_free_bytes_(free_bytes(disk_folder_)),
        audit_(audit),
        wake_(std::move(wake)),
        fresh_(limits_.output_head_bytes, limits_.output_tail_bytes),
        process_(std::move(process)),
        thread_([this] { run(); }) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() {
    kill();
    thread_.join();
  }

  const std::string& id() const { return id_; }
  bool is_running() const {
    const std::lock_guard lock(mutex_);
    return !end_;
  }

  void kill() {
    const std::lock_guard lock(mutex_);
    is_killed_ = true;
    wake();
  }
  Result<void> give(const std::string& input) {
    const std::lock_guard lock(mutex_);
    if (input_.size() + input.size() > kJobInputBytesMax) {
      return Error(ErrorCode::kLimit, "the job does not read its input");
    }
    input_ += input;
    wake();
    return {};
  }

  Result<JobLook> look(const Request& request) {
    std::unique_lock lock(mutex_);
    const Clock::time_point start = Clock::now();
    while (!end_) {
      const int64_t left = request.wait_ms - ms_since(start);
      const bool is_settled =
          !request.kill && fresh_.total_bytes() > 0 && ms_since(last_output_) >= kJobSettleMs;
      const bool is_interrupted = request.interrupted != nullptr && request.interrupted->load();
      if (left <= 0 || is_settled || is_interrupted) break;
      const int64_t step = std::min({left, kInterruptPollMs, kJobSettleMs});
      changed_.wait_for(lock, std::chrono::milliseconds(step));
    }
    JobLook look;
    look.is_running = !end_;
    if (end_ && !*end_) return end_->error();
    if (end_) look.report = **end_;
    look.wall_ms = end_ ? look.report.wall_ms : ms_since(started_);
    sandbox::OutputBuffer::Kept kept = fresh_.kept();
    look.report.output = std::move(kept.bytes);
    look.report.output_cut_at = kept.cut_at;
    look.report.output_bytes = fresh_.total_bytes();
    fresh_ = sandbox::OutputBuffer(limits_.output_head_bytes, limits_.output_tail_bytes);
    return look;
  }

 private:
  void wake() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }

  // The thread of the job; nobody else touches process_.
  void run() {
    sigset_t all;  // The program's signals belong to its main thread.
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (!process_.has_ended()) {
      const bool has_input = feed();
      const int64_t due = keep_limits();
      pollfd watched[] = {{has_output_ended_ ? -1 : process_.output_fd(), POLLIN, 0},
                          {process_.event_fd(), POLLIN, 0},
                          {wake_.get(), POLLIN, 0}};
      const int64_t timeout = std::clamp<int64_t>(due, 0, has_input ? kInputRetryMs : kPollMs);
      if (::poll(watched, std::size(watched), static_cast<int>(timeout)) <= 0) continue;
      if (watched[0].revents != 0) read_once();
      uint64_t ignored = 0;
      if (watched[2].revents != 0) {
        [[maybe_unused]] const ssize_t count = ::read(wake_.get(), &ignored, sizeof ignored);
      }
    }
    for (int count = 0; count < kDrainReadsMax && read_once(); ++count) {
    }
    finish();
  }

  // Whether input is left that the command has not taken.
  bool feed() {
    const std::lock_guard lock(mutex_);
    if (input_.empty()) return false;
    const Result<size_t> taken = process_.write_input(input_);
    // A command that has closed its input takes nothing any more.
    input_.erase(0, taken ? *taken : input_.size());
    return !input_.empty();
  }

  // As Process::wait() sees to it for commands that somebody waits for.
  bool has_filled_disk() const {
    if (disk_free_bytes_ < 0) return false;
    const int64_t free = free_bytes(disk_folder_);
    return free >= 0 && disk_free_bytes_ - free > limits_.disk_bytes_max;
  }

  // Milliseconds until it has something to do.
  int64_t keep_limits() {
    const std::lock_guard lock(mutex_);
    if (!cause_ && total_bytes_ > limits_.output_bytes_max) {
      cause_ = sandbox::EndedBy::kOutputLimit;
    }
    if (!cause_ && has_filled_disk()) cause_ = sandbox::EndedBy::kDiskLimit;
    const int64_t left = limits_.wall_ms - ms_since(started_);
    if (!cause_ && left <= 0) cause_ = sandbox::EndedBy::kTimeout;
    if (!cause_ && !is_killed_) {
      return disk_free_bytes_ < 0 ? left : std::min(left, kDiskLookMs);
    }
    if (!ending_) {
      ending_ = Clock::now();
      process_.signal(SIGTERM);
    }
    const int64_t grace_left = limits_.grace_ms - ms_since(*ending_);
    if (grace_left > 0) return grace_left;
    process_.signal(SIGKILL);
    return kInputRetryMs;  // A tree may fork while it is being killed.
  }

  bool read_once() {
    char buffer[kReadBytes];
    if (has_output_ended_ || process_.output_fd() < 0) return false;
    const ssize_t count = ::read(process_.output_fd(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) return true;
    if (count <= 0) {
      has_output_ended_ = count == 0 || errno != EAGAIN;
      return false;
    }
    const std::lock_guard lock(mutex_);
    fresh_.append(std::string_view(buffer, static_cast<size_t>(count)));
    total_bytes_ += static_cast<size_t>(count);
    last_output_ = Clock::now();
    changed_.notify_all();
    return true;
  }

  void finish() {
    Result<sandbox::ExitReport> report = process_.report();
    sandbox::AuditCommand record;
    record.argv = argv_;
    record.job = id_;
    if (report) {
      if (cause_) report->ended_by = *cause_;
      report->output_bytes = total_bytes_;
      record.report = &*report;
    } else {
      record.error = report.error().message();
    }
    // What the log cannot take is told when the next command is waited for.
    if (audit_ != nullptr) static_cast<void>(static_cast<bool>(audit_->append(record)));
    const std::lock_guard lock(mutex_);
    end_ = std::move(report);
    changed_.notify_all();
  }

  const std::string id_;
  const std::vector<std::string> argv_;
  const sandbox::Limits limits_;
  const std::string disk_folder_;  // Whose disk may not fill up; "" for none.
  const int64_t disk_free_bytes_;  // At the start.
  sandbox::AuditLog* const audit_;
  const UniqueFd wake_;
  const Clock::time_point started_ = Clock::now();

  mutable std::mutex mutex_;  // Of what follows, up to end_.
  std::condition_variable changed_;
  sandbox::OutputBuffer fresh_;  // Since the last look.
  size_t total_bytes_ = 0;
  Clock::time_point last_output_ = started_;
  std::string input_;
  bool is_killed_ = false;
  std::optional<sandbox::EndedBy> cause_;    // The limit that ends it.
  std::optional<Clock::time_point> ending_;  // Since when it is being ended.
  std::optional<Result<sandbox::ExitReport>> end_;

  bool has_output_ended_ = false;  // Used, like process_, by the job's thread alone.
  sandbox::Process process_;
  std::thread thread_;  // Last: it uses all of the others.
};

JobTable::JobTable(const sandbox::Sandbox& sandbox, sandbox::AuditLog* audit)
    : sandbox_(sandbox), audit_(audit) {}

JobTable::~JobTable() {
  // All at once, so that one grace time is enough for all.
  for (const auto& job : jobs_) job->kill();
}

JobTable::Job* JobTable::find(const std::string& id) const {
  const auto found =
      std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& job) { return job->id() == id; });
  return found == jobs_.end() ? nullptr : found->get();
}

std::vector<std::string> JobTable::ids() const {
  std::vector<std::string> ids;
  for (const auto& job : jobs_) ids.push_back(job->id());
  return ids;
}

Result<std::string> JobTable::start(const std::string& command, int64_t wall_ms) {
  const auto running =
      std::count_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->is_running(); });
  if (static_cast<size_t>(running) >= kJobsMax) {
    return Error(ErrorCode::kLimit, std::to_string(kJobsMax) + " jobs run already; kill one first");
  }
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return Error(ErrorCode::kIo, "cannot watch a job: no descriptor is left");
  sandbox::Command shell;
  shell.argv = {"bash", "-c", command};
  shell.input_pipe = true;
  const sandbox::Sandbox limited = sandbox_.with_wall_limit_ms(wall_ms);
  TRY_ASSIGN(sandbox::Process process, limited.start(shell));
  std::string id = std::to_string(jobs_.size() + 1);
  jobs_.push_back(std::make_unique<Job>(id, std::move(process), std::move(shell.argv),
                                        limited.policy(), audit_, std::move(wake)));
  return id;
}

Result<JobLook> JobTable::look(const std::string& id, const Request& request) {
  Job* const job = find(id);
  if (job == nullptr) return Error(ErrorCode::kNotFound, "no job " + id);
  if (!request.input.empty()) TRY(job->give(request.input));
  if (request.kill) job->kill();
  return job->look(request);
}

}  // namespace levin::tools
