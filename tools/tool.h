// What a model may call, as data: the call in, the exact text for the model out.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "sandbox/audit.h"
#include "sandbox/sandbox.h"

namespace levin::tools {

class JobTable;
class WebBrowser;
class Workspace;

struct FileChange {
  std::string path;    // Relative to the workspace.
  std::string before;  // Whole content; empty for a new file.
  std::string after;
  bool created = false;
  bool deleted = false;
};

struct ToolResult {
  std::string text;                 // What the model sees.
  bool failed = false;              // `text` begins with an E_ code.
  std::vector<FileChange> changes;  // Files that the tool itself wrote.
  // For commands only.
  bool is_command = false;
  int exit_code = 0;  // -1 when it did not end by itself.
  int64_t wall_ms = 0;
  std::vector<std::string> warnings;           // For the user.
  std::vector<sandbox::Quarantined> quarantined;  // As in sandbox::ExitReport, and told to the user.
  std::vector<std::string> protected_changes;     // Likewise.
};

inline ToolResult failure(std::string text) {
  ToolResult result;
  result.text = std::move(text);
  result.failed = true;
  return result;
}

// Everything a tool may use besides its arguments. Borrowed; outlives the call.
struct ToolContext {
  Workspace& workspace;
  const sandbox::Sandbox* sandbox = nullptr;        // Null: commands are refused with E_DENIED.
  std::function<void(std::string_view)> on_output;  // Live output of a command; may be empty.
  const std::atomic<bool>* interrupted = nullptr;
  std::string spill_folder;            // Full outputs go here; empty: nowhere.
  sandbox::AuditLog* audit = nullptr;  // Commands are recorded there; null: nowhere.
  JobTable* jobs = nullptr;            // For background commands; null: there are none.
  // Asked before a command runs: the E_DENIED text, or empty when it may. May be empty itself.
  std::function<std::string(const std::string& command)> refusal = nullptr;
  std::string index_database = {};  // Of the repository index; empty: in memory, for one call.
  bool checks_syntax = false;       // New syntax errors are told behind the result of an edit.
  // The id that `read` shows of a file's content, eight digits; empty: it shows none.
  std::function<std::string(std::string_view content)> content_id = nullptr;
  // Starts the browser when it is first needed; empty: web_check is refused.
  std::function<Result<WebBrowser*>()> browser = nullptr;
  std::string test_command = "";  // What `test` runs; empty: it looks for one.
};

}  // namespace levin::tools
