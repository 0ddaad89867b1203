#include "agent/network.h"

#include <iostream>
#include <utility>

namespace levin::agent {

Result<std::vector<sandbox::NetRule>> net_rules(const std::vector<std::string>& values) {
  std::vector<sandbox::NetRule> rules;
  for (const std::string& value : values) {
    Result<sandbox::NetRule> rule = sandbox::parse_net_rule(value);
    if (!rule) return std::move(rule).error().context("--allow-net");
    rules.push_back(*std::move(rule));
  }
  return rules;
}

Result<void> prepare_network(const std::vector<sandbox::NetRule>& rules, sandbox::Policy* policy) {
  if (rules.empty()) return {};
  if (policy->profile == sandbox::Profile::kOff) {
    return Error(ErrorCode::kInvalidArgument,
                 "--allow-net means nothing without isolation: commands reach every host");
  }
  for (auto& variable : sandbox::proxy_environment(sandbox::kProxyPort)) {
    policy->environment.push_back(std::move(variable));
  }
  return {};
}

Result<std::optional<sandbox::Proxy>> open_proxy(std::vector<sandbox::NetRule> rules,
                                                 const sandbox::Sandbox& sandbox,
                                                 sandbox::AuditLog* audit) {
  std::optional<sandbox::Proxy> opened;
  if (rules.empty()) return opened;
  TRY_ASSIGN(UniqueFd listener, sandbox.listen(sandbox::kProxyPort));
  sandbox::ProxyOptions options;
  options.rules = std::move(rules);
  options.on_event = [audit](const sandbox::ProxyEvent& event) {
    if (audit == nullptr) return;
    const Result<void> written = audit->append(event);
    if (!written) std::cerr << "levin: " << written.error().message() << std::endl;
  };
  TRY_ASSIGN(sandbox::Proxy proxy, sandbox::Proxy::start(std::move(listener), std::move(options)));
  opened.emplace(std::move(proxy));
  return opened;
}

}  // namespace levin::agent
