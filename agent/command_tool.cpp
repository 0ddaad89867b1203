// levin tool NAME: any tool from the shell; arguments as JSON on stdin, the model's text on stdout.
#include <filesystem>
#include <iostream>
#include <iterator>

#include "agent/commands.h"
#include "agent/config.h"
#include "agent/index_wiring.h"
#include "agent/git_workspace.h"
#include "agent/wiring.h"
#include "tools/registry.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

Result<tools::ToolResult> call_tool(const ToolOptions& options,
                                    const std::atomic<bool>& interrupted) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::canonical(options.workspace, error);
  if (error) {
    return Error(ErrorCode::kNotFound, "--workspace " + options.workspace + ": " + error.message());
  }
  TRY_ASSIGN(tools::Workspace workspace, tools::Workspace::open(folder.string()));
  tools::ToolContext context{workspace, nullptr, {}, &interrupted, ""};
  context.index_database = index_options(workspace.root(), interrupted).database;
  context.checks_syntax = true;
  TRY_ASSIGN(const Config config, load_config(folder.string()));
  context.test_command = config.test_command;
  context.content_id = short_content_id;
  const std::string arguments((std::istreambuf_iterator<char>(std::cin)),
                              std::istreambuf_iterator<char>());
  const tools::Registry registry = tools::make_registry();
  if (options.name != "bash" && options.name != "test")
    return registry.call(options.name, arguments, context);
  TRY_ASSIGN(const sandbox::Sandbox sandbox,
             sandbox::Sandbox::open(
                 command_policy(folder.string(), options.sandbox, config.protect)));
  context.sandbox = &sandbox;
  TRY_ASSIGN(const CommandRules rules, load_command_rules(folder.string()));
  TRY_ASSIGN(sandbox::AuditLog audit, open_audit(sandbox.policy(), rules, "tool"));
  context.audit = &audit;
  context.refusal = [&rules](const std::string& command) {
    return denial_text(command, rules.decide(command));
  };
  return registry.call(options.name, arguments, context);
}

}  // namespace

int command_tool(const ToolOptions& options, const std::atomic<bool>& interrupted) {
  const Result<tools::ToolResult> result = call_tool(options, interrupted);
  if (!result) {
    std::cerr << "levin tool: " << result.error().message() << std::endl;
    return 2;
  }
  std::cout << result->text << std::endl;
  return result->failed ? 1 : 0;
}

}  // namespace levin::agent
