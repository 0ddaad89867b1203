#include "tools/command_result.h"

#include <algorithm>
#include <cstring>

#include "tools/text_lines.h"
#include "tools/truncate.h"

namespace levin::tools {
namespace {

constexpr int64_t kShownFromMs =
    10'000;  // Shorter runs vary too much to be worth a repeatable log.

std::string first_line(const sandbox::ExitReport& report, int64_t timeout_s) {
  switch (report.ended_by) {
    case sandbox::EndedBy::kExit: {
      std::string text = "exit " + std::to_string(report.exit_code);
      if (report.wall_ms >= kShownFromMs)
        text += " in " + std::to_string(report.wall_ms / 1000) + 's';
      return text;
    }
    case sandbox::EndedBy::kSignal:
      return "killed by " + signal_name(report.signal_number);
    case sandbox::EndedBy::kTimeout:
      return "E_TIMEOUT " + std::to_string(timeout_s) +
             " s, last output below; rerun with a larger timeout_s.";
    case sandbox::EndedBy::kOutputLimit:
      return "E_LIMIT stopped after " + std::to_string(report.output_bytes) +
             " bytes of output; print less, or into a file.";
    case sandbox::EndedBy::kMemoryLimit:
      return "E_LIMIT stopped: the command used more memory than it may; work on less at once.";
    case sandbox::EndedBy::kProcessLimit:
      return "E_LIMIT stopped: the command started more processes than it may.";
    case sandbox::EndedBy::kDiskLimit:
      return "E_LIMIT stopped: the command filled the disk beyond its limit.";
    case sandbox::EndedBy::kInterrupt:
      return "E_INTERRUPTED stopped by the user.";
  }
  return "";
}

// For the model.
std::string quarantine_note(const std::vector<sandbox::Quarantined>& quarantined) {
  constexpr size_t kNamedMax = 5;
  std::string names;
  for (size_t index = 0; index < std::min(quarantined.size(), kNamedMax); ++index) {
    names += (names.empty() ? "" : ", ") + clean_output(quarantined[index].path);
  }
  if (quarantined.size() > kNamedMax) {
    names += " and " + std::to_string(quarantined.size() - kNamedMax) + " more";
  }
  return "moved out of the workspace: " + names +
         " (programs outside of the sandbox act on such files; do without, or ask the user to make "
         "them)";
}

}  // namespace

std::string signal_name(int number) {
  const char* const name = sigabbrev_np(number);
  return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(number);
}

CommandOutput command_output(const sandbox::ExitReport& report) {
  CommandOutput output;
  if (looks_binary(report.output)) {
    output.binary = true;
    output.full = "binary, " + std::to_string(report.output_bytes) + " bytes";
    return output;
  }
  if (report.output_cut_at == 0) {
    output.full = clean_output(report.output);
  } else {
    const std::string_view raw = report.output;
    const size_t missing = report.output_bytes - std::min(report.output_bytes, raw.size());
    output.full = clean_output(raw.substr(0, report.output_cut_at)) + "\n... " +
                  std::to_string(missing) + " bytes were not kept ...\n" +
                  clean_output(raw.substr(report.output_cut_at));
  }
  output.truncated = truncate_middle(output.full).left_out_bytes > 0;
  return output;
}

std::string shown_output(const CommandOutput& output, const std::string& spill_path) {
  const Truncated cut = truncate_middle(output.full);
  if (cut.left_out_bytes == 0) return cut.head;
  const std::string where = spill_path.empty() ? "" : "; all of it: read " + spill_path;
  return cut.head + "\n... " + std::to_string(cut.left_out_bytes) + " bytes left out" + where +
         " ...\n" + cut.tail;
}

ToolResult command_result(const sandbox::ExitReport& report, const std::string& shown,
                          int64_t timeout_s) {
  ToolResult result;
  result.is_command = true;
  result.exit_code = report.ended_by == sandbox::EndedBy::kExit ? report.exit_code : -1;
  result.wall_ms = report.wall_ms;
  result.quarantined = report.quarantined;
  result.protected_changes = report.protected_changes;
  result.text = first_line(report, timeout_s);
  result.failed = result.text.starts_with("E_");
  std::string_view body = shown;
  if (body.ends_with('\n')) body.remove_suffix(1);
  if (!body.empty()) result.text += '\n' + std::string(body);
  if (!report.quarantined.empty()) result.text += '\n' + quarantine_note(report.quarantined);
  return result;
}

}  // namespace levin::tools
