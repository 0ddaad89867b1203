// Commands that go on while the model does something else: each has a thread that reads its output
// and keeps its limits. They end with the table, so with the session.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/audit.h"
#include "sandbox/sandbox.h"

namespace levin::tools {

inline constexpr size_t kJobsMax = 16;                            // That run at once.
inline constexpr size_t kJobInputBytesMax = size_t{1} << 20;      // Not taken by the command yet.
inline constexpr int64_t kJobWallMs = int64_t{24} * 3600 * 1000;  // When the call names no limit.
inline constexpr int64_t kJobSettleMs = 300;  // A look ends when output came and stopped so long.

// What a job has done since the last look.
struct JobLook {
  bool is_running = false;
  int64_t wall_ms = 0;           // Since its start.
  sandbox::ExitReport report{};  // Its output is the new one alone; of the rest only when it ended.
};

// One thread uses it (and the threads of its jobs). Sandbox and log outlive it.
class JobTable {
 public:
  // `audit` may be null.
  JobTable(const sandbox::Sandbox& sandbox, sandbox::AuditLog* audit);
  JobTable(const JobTable&) = delete;
  JobTable& operator=(const JobTable&) = delete;
  // Kills what still runs and waits for its end.
  ~JobTable();

  // Starts shell text; returns the job's id: "1", "2", ... Errors: kLimit when too many run; those
  // of Sandbox::start().
  Result<std::string> start(const std::string& command, int64_t wall_ms);

  bool has(const std::string& id) const { return find(id) != nullptr; }
  std::vector<std::string> ids() const;

  struct Request {
    std::string input;  // For its standard input.
    bool kill = false;
    int64_t wait_ms = 0;
    const std::atomic<bool>* interrupted = nullptr;  // Ends the wait.
  };
  // Gives the input, then waits until the job has ended, its new output has settled, or the time is
  // over; a job that is killed is waited for. Errors: kNotFound; kLimit for too much input; kIo
  // when the job could not be watched.
  Result<JobLook> look(const std::string& id, const Request& request);

 private:
  class Job;
  Job* find(const std::string& id) const;

  const sandbox::Sandbox& sandbox_;
  sandbox::AuditLog* audit_;
  std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace levin::tools
