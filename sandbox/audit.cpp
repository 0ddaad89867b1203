#include "sandbox/audit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/file_io.h"
#include "base/unique_fd.h"

namespace levin::sandbox {
namespace {

using Json = nlohmann::ordered_json;

// "2026-11-24T10:15:00.123Z"
std::string now_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                parts.tm_sec, static_cast<int>(ms));
  return text.data();
}

const char* ended_name(EndedBy ended) {
  switch (ended) {
    case EndedBy::kExit:
      return "exit";
    case EndedBy::kSignal:
      return "signal";
    case EndedBy::kTimeout:
      return "time";
    case EndedBy::kOutputLimit:
      return "output";
    case EndedBy::kInterrupt:
      return "interrupt";
    case EndedBy::kMemoryLimit:
      return "memory";
    case EndedBy::kProcessLimit:
      return "processes";
    case EndedBy::kDiskLimit:
      return "disk";
  }
  return "other";
}

bool is_limit(EndedBy ended) {
  return ended != EndedBy::kExit && ended != EndedBy::kSignal && ended != EndedBy::kInterrupt;
}

void add_argv(Json& record, const std::vector<std::string>& argv) {
  size_t left = kAuditArgvBytesMax;
  Json words = Json::array();
  bool is_cut = false;
  for (const std::string& word : argv) {
    if (left == 0) is_cut = true;
    if (left == 0) break;
    words.push_back(word.substr(0, left));
    is_cut |= word.size() > left;
    left -= std::min(left, word.size() + 1);
  }
  record["argv"] = std::move(words);
  if (is_cut) record["argv_cut"] = true;
}

void add_report(Json& record, const ExitReport& report) {
  record["ended_by"] = ended_name(report.ended_by);
  record["exit"] = report.ended_by == EndedBy::kExit ? Json(report.exit_code) : Json(nullptr);
  if (report.ended_by == EndedBy::kSignal) record["signal"] = report.signal_number;
  record["duration_ms"] = report.wall_ms;
  record["limits"] = Json::array();
  if (is_limit(report.ended_by)) record["limits"].push_back(ended_name(report.ended_by));
  const bool is_cpu = report.ended_by == EndedBy::kSignal && report.signal_number == SIGXCPU;
  if (is_cpu) record["limits"].push_back("cpu");
  record["output_bytes"] = report.output_bytes;
  record["written_bytes"] = report.written_bytes;
  record["cpu_ms"] = report.cpu_ms;
  record["peak_memory_bytes"] = report.peak_memory_bytes;
  for (const Quarantined& moved : report.quarantined) {
    record["quarantined"].push_back({{"path", moved.path}, {"place", moved.place}});
  }
  if (!report.protected_changes.empty()) record["protected_changes"] = report.protected_changes;
}

uint64_t mix(uint64_t hash, std::string_view text) {
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return (hash ^ 0xffu) * 0x100000001b3u;  // So that "a","b" is not "ab".
}

}  // namespace

struct AuditLog::State {
  std::string path;
  UniqueFd fd;
  AuditContext context;
  std::mutex mutex;
  std::vector<std::string> refused_hosts;  // Since the last command's record.
  size_t num_requests = 0;
  bool is_torn = false;  // The last record may stand there in part: a full disk.

  Json start(const char* type) const {
    return {{"time", now_text()}, {"type", type}, {"session", context.session}};
  }
  Result<void> write(const Json& record) {
    // Command lines and names are any bytes; JSON is UTF-8.
    const std::string line = record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    Result<void> written =
        write_all(fd.get(), (is_torn ? "\n" : "") + line, "the audit log " + path);
    is_torn = !written;
    return written;
  }
};

AuditLog::AuditLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
AuditLog::AuditLog(AuditLog&&) noexcept = default;
AuditLog& AuditLog::operator=(AuditLog&&) noexcept = default;
AuditLog::~AuditLog() = default;

Result<AuditLog> AuditLog::open(const std::string& path, AuditContext context) {
  TRY(make_directories(path.substr(0, path.rfind('/')), 0700));
  auto state = std::make_unique<State>();
  state->path = path;
  state->context = std::move(context);
  // O_NONBLOCK: a pipe in its place must not hold us up.
  state->fd = UniqueFd(::open(
      path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!state->fd) {
    return Error(ErrorCode::kIo, "cannot open the audit log " + path + ": " + std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(state->fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_uid != ::geteuid()) {
    return Error(ErrorCode::kInvalidArgument,
                 "the audit log " + path + " is not a regular file of this user");
  }
  if ((status.st_mode & 07777) != 0600 && ::fchmod(state->fd.get(), 0600) != 0) {
    return Error(ErrorCode::kIo,
                 "cannot close the audit log " + path + " to others: " + std::strerror(errno));
  }
  return AuditLog(std::move(state));
}

Result<void> AuditLog::append(const AuditCommand& command) {
  const std::lock_guard lock(state_->mutex);
  const AuditContext& context = state_->context;
  Json record = state_->start("command");
  add_argv(record, command.argv);
  record["workspace"] = context.workspace;
  record["cwd"] = command.working_folder;
  record["profile"] = context.profile;
  record["policy"] = context.policy_hash;
  if (!context.allow_net.empty()) record["allow_net"] = context.allow_net;
  if (!context.rules_hash.empty()) record["rules"] = context.rules_hash;
  if (!command.job.empty()) record["job"] = command.job;
  if (command.report != nullptr) {
    add_report(record, *command.report);
  } else {
    record["ended_by"] = command.refusal.empty() ? "error" : "refused";
    record["exit"] = nullptr;
    record["reason"] = command.refusal.empty() ? command.error : command.refusal;
  }
  if (state_->num_requests > 0) {
    record["requests"] = state_->num_requests;
    record["refused_hosts"] = state_->refused_hosts;
    state_->num_requests = 0;
    state_->refused_hosts.clear();
  }
  return state_->write(record);
}

Result<void> AuditLog::append(const ProxyEvent& event) {
  const std::lock_guard lock(state_->mutex);
  ++state_->num_requests;
  if (!event.allowed && !event.host.empty() && state_->refused_hosts.size() < kAuditHostsMax) {
    state_->refused_hosts.push_back(event.host + ":" + std::to_string(event.port));
  }
  Json record = state_->start("network");
  record["protocol"] = event.protocol;
  record["host"] = event.host;
  record["port"] = event.port;
  record["allowed"] = event.allowed;
  if (!event.reason.empty()) record["reason"] = event.reason;
  if (!event.address.empty()) record["address"] = event.address;
  record["bytes_sent"] = event.bytes_sent;
  record["bytes_received"] = event.bytes_received;
  record["duration_ms"] = event.wall_ms;
  return state_->write(record);
}

std::string profile_name(Profile profile) {
  switch (profile) {
    case Profile::kReadOnly:
      return "read-only";
    case Profile::kWorkspace:
      return "workspace";
    case Profile::kBrowser:
      return "browser";
    case Profile::kOff:
      return "off";
  }
  return "other";
}

std::string policy_hash(const Policy& policy) {
  uint64_t hash = 0xcbf29ce484222325u;
  hash = mix(hash, profile_name(policy.profile));
  hash = mix(hash, policy.workspace);
  for (const std::string& path : policy.protected_paths) hash = mix(hash, path);
  for (const auto& [name, value] : policy.environment) hash = mix(hash, name);
  const Limits& limits = policy.limits;
  for (const int64_t limit :
       {limits.wall_ms, limits.grace_ms, static_cast<int64_t>(limits.output_head_bytes),
        static_cast<int64_t>(limits.output_tail_bytes),
        static_cast<int64_t>(limits.output_bytes_max), limits.processes_max, limits.open_files_max,
        limits.file_size_bytes_max}) {
    hash = mix(hash, std::to_string(limit));
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

}  // namespace levin::sandbox
