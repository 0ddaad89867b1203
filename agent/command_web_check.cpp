// levin web-check: one app, one specification, one report; no model.
#include <iostream>

#include <nlohmann/json.hpp>

#include "agent/agent.h"
#include "agent/commands.h"
#include "agent/terminal_filter.h"
#include "agent/web_specs.h"
#include "tools/web_check.h"

namespace levin::agent {
namespace {

void show(const tools::WebOutcome& outcome) {
  std::cerr << (outcome.passed ? "  ok      " : "  FAILED  ") << printable(outcome.name)
            << (outcome.passed ? "" : ": ") << printable(outcome.message) << std::endl;
}

Result<tools::WebReport> check(const WebCheckCommand& command, const std::atomic<bool>& interrupted) {
  tools::WebSpec spec = tools::derive_web_spec("");
  if (!command.accept.empty()) {
    TRY_ASSIGN(spec, load_web_spec(command.accept));
  }
  TRY_ASSIGN(const std::unique_ptr<tools::WebBrowser> browser, tools::WebBrowser::start());
  tools::WebCheckOptions options;
  options.target = command.target;
  options.report_folder = command.report_folder;
  options.interrupted = &interrupted;
  if (!command.json) options.on_outcome = show;
  return tools::check_web_app(*browser, spec, options);
}

}  // namespace

int command_web_check(const WebCheckCommand& command, const std::atomic<bool>& interrupted) {
  const Result<tools::WebReport> report = check(command, interrupted);
  if (!report) {
    std::cerr << "levin web-check: " << report.error().message() << std::endl;
    switch (report.error().code()) {
      case ErrorCode::kInterrupted:
        return static_cast<int>(ExitCode::kInterrupted);
      case ErrorCode::kIo:
        return static_cast<int>(ExitCode::kFailed);
      default:
        return static_cast<int>(ExitCode::kUsage);
    }
  }
  if (command.json) {
    std::cout << tools::to_json(*report).dump(1) << std::endl;
  } else {
    std::cout << printable(tools::to_text(*report)) << std::endl;
  }
  return static_cast<int>(report->passed() ? ExitCode::kDone : ExitCode::kChecksFailed);
}

}  // namespace levin::agent
