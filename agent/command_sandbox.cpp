// levin sandbox -- command: any command under the policy that the agent uses, so that it can be
// tried from outside. Input and output are passed on; the exit code is the command's.
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>

#include "agent/commands.h"
#include "agent/config.h"
#include "agent/network.h"
#include "agent/terminal_filter.h"
#include "agent/wiring.h"
#include "base/file_io.h"
#include "sandbox/sandbox.h"

namespace levin::agent {
namespace {

constexpr int kRefused = 2;       // Wrong usage, or no sandbox.
constexpr int kLimitReached = 3;  // As for levin run.
constexpr int kInterrupted = 130;

// "64k", "2m", "1g" or a plain number.
std::optional<int64_t> parse_amount(std::string_view text) {
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  // 0 would be none, the default or "unlimited", depending on who reads it.
  if (parsed.ec != std::errc() || value <= 0) return std::nullopt;
  const std::string_view unit(parsed.ptr,
                              static_cast<size_t>(text.data() + text.size() - parsed.ptr));
  int shift = 0;
  if (unit == "k") shift = 10;
  if (unit == "m") shift = 20;
  if (unit == "g") shift = 30;
  if (!unit.empty() && shift == 0) return std::nullopt;
  if (value > (std::numeric_limits<int64_t>::max() >> shift)) return std::nullopt;
  return value << shift;
}

Result<void> set_limit(const std::string& text, sandbox::Limits* limits) {
  constexpr int64_t kMsPerSecond = 1000;
  constexpr int64_t kSecondsMax = 1'000'000'000;
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const auto value = equals == std::string::npos
                         ? std::nullopt
                         : parse_amount(std::string_view(text).substr(equals + 1));
  if (!value) {
    return Error(ErrorCode::kInvalidArgument,
                 "--limit " + text + ": expected NAME=NUMBER[k|m|g], 1 or more");
  }
  if (name == "wall") {
    limits->wall_ms = std::min(*value, kSecondsMax) * kMsPerSecond;
  } else if (name == "cpu") {
    limits->cpu_ms = std::min(*value, kSecondsMax) * kMsPerSecond;
  } else if (name == "memory") {
    limits->memory_bytes_max = *value;
  } else if (name == "disk") {
    limits->disk_bytes_max = *value;
  } else if (name == "file") {
    limits->file_size_bytes_max = *value;
  } else if (name == "tmp") {
    limits->tmp_bytes_max = *value;
  } else if (name == "output") {
    limits->output_bytes_max = static_cast<size_t>(*value);
  } else if (name == "processes") {
    limits->processes_max = *value;
  } else if (name == "files") {
    limits->open_files_max = *value;
  } else {
    return Error(ErrorCode::kInvalidArgument,
                 "--limit " + text +
                     ": there are wall, cpu, memory, disk, file, tmp, output, processes and files");
  }
  return {};
}

// The user's terminal passes every key on while the command has a terminal of its own.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted) {
    if (!wanted || ::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

 private:
  termios before_{};
  bool changed_ = false;
};

Result<sandbox::Policy> policy_of(const SandboxOptions& options) {
  const auto real = [](const std::string& what, const std::string& path) -> Result<std::string> {
    std::error_code error;
    const std::filesystem::path folder = std::filesystem::canonical(path, error);
    if (!error) return folder.string();
    return Error(ErrorCode::kNotFound, what + " " + path + ": " + error.message());
  };
  TRY_ASSIGN(const std::string workspace, real("--workspace", options.workspace));
  TRY_ASSIGN(const Config config, load_config(workspace));
  sandbox::Policy policy = command_policy(workspace, options.profile, config.protect);
  policy.debugging = options.debugging;
  for (const std::string& folder : options.writable_folders) {
    TRY_ASSIGN(std::string path, real("--allow-write", folder));
    policy.writable_folders.push_back(std::move(path));
  }
  for (const std::string& limit : options.limits) TRY(set_limit(limit, &policy.limits));
  return policy;
}

Result<sandbox::ExitReport> run_command(const SandboxOptions& options,
                                        const std::atomic<bool>& interrupted) {
  TRY_ASSIGN(const std::vector<sandbox::NetRule> network, net_rules(options.allow_net));
  TRY_ASSIGN(sandbox::Policy policy, policy_of(options));
  TRY(prepare_network(network, &policy));
  TRY_ASSIGN(sandbox::AuditLog audit,
             open_audit(policy, CommandRules(), "sandbox", options.allow_net));
  TRY_ASSIGN(const sandbox::Sandbox box, sandbox::Sandbox::open(std::move(policy)));
  for (const std::string& weakening : box.weakenings()) {
    std::cerr << "levin sandbox: " << weakening << std::endl;
  }
  TRY_ASSIGN(const std::optional<sandbox::Proxy> proxy, open_proxy(network, box, &audit));
  sandbox::Command command;
  command.argv = options.argv;
  command.pty = options.pty;
  command.input_pipe = !options.pty;
  command.input_from = STDIN_FILENO;
  winsize size{};
  if (options.pty && ::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
    command.rows = size.ws_row;
    command.columns = size.ws_col;
  }
  // A program that draws on its terminal means it; anything else must not steer the user's.
  const bool filtered = !options.pty && ::isatty(STDOUT_FILENO) == 1;
  TerminalFilter filter;
  const RawTerminal raw(options.pty);
  TRY_ASSIGN(sandbox::Process process, box.start(command));
  Result<sandbox::ExitReport> report = process.wait(
      [&](std::string_view bytes) {
        const std::string shown = filtered ? filter.push(bytes) : std::string(bytes);
        // Where nobody reads any more, the command goes on until it ends.
        (void)write_all(STDOUT_FILENO, shown, "standard output");
      },
      &interrupted);
  sandbox::AuditCommand record;
  record.argv = options.argv;
  if (report) {
    record.report = &*report;
  } else {
    record.error = report.error().message();
  }
  const Result<void> written = audit.append(record);
  if (!written) std::cerr << "levin sandbox: " << written.error().message() << "\n";
  return report;
}

void tell_limit(const sandbox::ExitReport& report) {
  const char* what = "";
  switch (report.ended_by) {
    case sandbox::EndedBy::kTimeout:
      what = "its time was up";
      break;
    case sandbox::EndedBy::kOutputLimit:
      what = "it printed too much";
      break;
    case sandbox::EndedBy::kMemoryLimit:
      what = "it used too much memory";
      break;
    case sandbox::EndedBy::kProcessLimit:
      what = "it started too many processes";
      break;
    case sandbox::EndedBy::kDiskLimit:
      what = "it filled the disk beyond its limit";
      break;
    default:
      return;
  }
  std::cerr << "levin sandbox: stopped: " << what << std::endl;
}

}  // namespace

int command_sandbox(const SandboxOptions& options, const std::atomic<bool>& interrupted) {
  const Result<sandbox::ExitReport> report = run_command(options, interrupted);
  if (!report) {
    std::cerr << "levin sandbox: " << report.error().message() << std::endl;
    return kRefused;
  }
  for (const sandbox::Quarantined& moved : report->quarantined) {
    std::cerr << "levin sandbox: the command made " << printable(moved.path)
              << ", which programs outside of the sandbox act on; it was moved to "
              << printable(moved.place) << std::endl;
  }
  for (const std::string& path : report->protected_changes) {
    std::cerr << "levin sandbox: the command made or changed " << printable(path)
              << "; look at it before you use git or an editor here" << std::endl;
  }
  constexpr int kSignalBase = 128;
  switch (report->ended_by) {
    case sandbox::EndedBy::kExit:
      return report->exit_code;
    case sandbox::EndedBy::kSignal:
      return kSignalBase + report->signal_number;
    case sandbox::EndedBy::kInterrupt:
      return kInterrupted;
    default:
      tell_limit(*report);
      return kLimitReached;
  }
}

}  // namespace levin::agent
