// The audit log: one JSON line per command and per request to the network, appended outside of
// every workspace. Format: docs/formats/audit.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/policy.h"
#include "sandbox/proxy.h"
#include "sandbox/sandbox.h"

namespace levin::sandbox {

inline constexpr size_t kAuditArgvBytesMax = 64 * 1024;  // Of one record; longer argv are cut.
inline constexpr size_t kAuditHostsMax = 100;  // Refused hosts named in one command's record.

// What all records of a log have in common.
struct AuditContext {
  std::string session;
  std::string workspace;
  std::string profile;      // "read-only", "workspace", "off" ...
  std::string policy_hash;  // policy_hash() of the policy that commands run under.
  std::vector<std::string> allow_net;  // HOST:PORT each, as the user gave them.
  std::string rules_hash;   // Of the rules about commands; empty when there are none.
};

struct AuditCommand {
  std::vector<std::string> argv;
  std::string working_folder;          // Relative to the workspace.
  std::string refusal;                 // Why it was not let run; `report` then means nothing.
  std::string error;                   // Why it could not be started.
  const ExitReport* report = nullptr;  // Null when it did not run.
  std::string job;                     // Id of a background job; empty for a command waited for.
};

// Thread-safe. Move-only.
class AuditLog {
 public:
  // Makes the file (0600) and its folder (0700). Errors: kIo; kInvalidArgument when something else
  // than our own regular file is in its place.
  static Result<AuditLog> open(const std::string& path, AuditContext context);
  AuditLog(AuditLog&&) noexcept;
  AuditLog& operator=(AuditLog&&) noexcept;
  ~AuditLog();

  // A record each, in one write(2). Errors: kIo.
  Result<void> append(const AuditCommand& command);
  // Also named in the record of the next command that ends.
  Result<void> append(const ProxyEvent& event);

 private:
  struct State;
  explicit AuditLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Of all that a policy says, environment names included, values not; 16 hex digits.
std::string policy_hash(const Policy& policy);

std::string profile_name(Profile profile);

}  // namespace levin::sandbox
