// --allow-net: the hosts that commands may reach, and the proxy that lets them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/audit.h"
#include "sandbox/proxy.h"
#include "sandbox/sandbox.h"

namespace levin::agent {

// Reads the options' values. Errors: kInvalidArgument naming the option.
Result<std::vector<sandbox::NetRule>> net_rules(const std::vector<std::string>& values);

// Tells commands of `policy` where the proxy will be. Errors: kInvalidArgument without isolation:
// there every host can be reached anyway.
Result<void> prepare_network(const std::vector<sandbox::NetRule>& rules, sandbox::Policy* policy);

// Serves the cell of `sandbox` until it is destroyed; absent without rules. `audit` may be null and
// outlives it. Errors: those of Sandbox::listen() and Proxy::start().
Result<std::optional<sandbox::Proxy>> open_proxy(std::vector<sandbox::NetRule> rules,
                                                 const sandbox::Sandbox& sandbox,
                                                 sandbox::AuditLog* audit);

}  // namespace levin::agent
