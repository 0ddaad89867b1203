// sandboxed_command FOLDER COMMAND [ARGUMENT...]: runs a command that may write in FOLDER and
// nowhere else, without network, for five seconds at most. Ends with the command's exit code.
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

#include "sandbox/policy.h"
#include "sandbox/sandbox.h"

namespace {

using levin::Result;
namespace sandbox = levin::sandbox;

Result<sandbox::ExitReport> run(const std::string& folder, const sandbox::Command& command) {
  sandbox::Policy policy;
  policy.profile = sandbox::Profile::kWorkspace;
  policy.workspace = folder;
  policy.protected_paths = sandbox::default_protected_paths(folder);
  policy.environment = sandbox::default_environment(environ, policy.profile);
  policy.limits.wall_ms = 5'000;

  // Fails here, and says which layer is missing, where the policy can't be enforced.
  TRY_ASSIGN(const sandbox::Sandbox box, sandbox::Sandbox::open(policy));
  return box.run(command, [](std::string_view output) { std::cout << output << std::flush; });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: sandboxed_command FOLDER COMMAND [ARGUMENT...]\n";
    return 2;
  }
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::canonical(argv[1], error);
  if (error) {
    std::cerr << "sandboxed_command: " << argv[1] << ": " << error.message() << '\n';
    return 2;
  }
  sandbox::Command command;
  command.argv.assign(argv + 2, argv + argc);
  const Result<sandbox::ExitReport> report = run(folder.string(), command);
  if (!report) {
    std::cerr << "sandboxed_command: " << report.error().message() << '\n';
    return 1;
  }
  std::cerr << report->output_bytes << " bytes of output in " << report->wall_ms << " ms\n";
  if (report->ended_by == sandbox::EndedBy::kExit) return report->exit_code;
  std::cerr << "sandboxed_command: killed by a signal, the time limit or the output limit\n";
  return 1;
}
