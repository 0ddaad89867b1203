// One function per command of the program; each returns its exit code and tells errors on stderr.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "agent/options.h"

namespace levin::agent {

int command_run(const RunOptions& options, const std::atomic<bool>& interrupted);
int command_model_random(const RandomOptions& options);
int command_bench(const BenchOptions& options);
int command_model_info(const std::string& folder, bool json);
int command_doctor();
int command_map(const MapOptions& options, const std::atomic<bool>& interrupted);
int command_tool(const ToolOptions& options, const std::atomic<bool>& interrupted);
int command_sandbox(const SandboxOptions& options, const std::atomic<bool>& interrupted);
int command_policy_check(const std::vector<std::string>& words);  // None: the files alone.
int command_rewind(const RewindOptions& options, const std::atomic<bool>& interrupted);
int command_undo(const RewindOptions& options, const std::atomic<bool>& interrupted);
int command_diff(const std::string& range);  // "id" or "id@a..b"
int command_sessions(bool json);
int command_webapp(const WebappCommand& command, const std::atomic<bool>& interrupted);
int command_web_check(const WebCheckCommand& command, const std::atomic<bool>& interrupted);
int command_debug_logits(const LogitsOptions& options);

}  // namespace levin::agent
