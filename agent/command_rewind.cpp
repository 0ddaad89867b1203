// levin rewind, levin undo, levin diff: back to a checkpoint, and what changed between two.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "agent/commands.h"
#include "agent/git_workspace.h"
#include "agent/session_checkpoints.h"
#include "agent/session_list.h"
#include "agent/terminal_filter.h"

namespace levin::agent {
namespace {

constexpr size_t kPathsShown = 10;

int tell_error(const char* command, const Error& error) {
  std::cerr << "levin " << command << ": " << error.message() << std::endl;
  const bool is_usage =
      error.code() == ErrorCode::kInvalidArgument || error.code() == ErrorCode::kUnsupported;
  return is_usage ? 2 : error.code() == ErrorCode::kInterrupted ? 130 : 1;
}

void list_paths(const std::vector<std::string>& paths) {
  for (size_t index = 0; index < paths.size() && index < kPathsShown; ++index) {
    std::cerr << "  " << printable(paths[index]) << "\n";
  }
  if (paths.size() > kPathsShown) {
    std::cerr << "  and " << paths.size() - kPathsShown << " more\n";
  }
}

int tell_outcome(const char* command, const std::string& id, const RewindOutcome& outcome) {
  if (!outcome.lost.empty()) {
    std::cerr << "levin " << command << ": refused: " << outcome.lost.size()
              << " paths were changed since levin's last step, and that would be lost:\n";
    list_paths(outcome.lost);
    std::cerr << "--force saves them in a checkpoint first." << std::endl;
    return 1;
  }
  if (!outcome.saved.empty()) {
    std::cout << "Your changes are saved; to have them back: levin rewind " << id << "@"
              << outcome.saved << "\n";
  }
  const RestoreReport& report = outcome.report;
  std::cout << fmt::format("Back at {}@{}: {} files restored, {} removed, {} modes set.\n", id,
                           outcome.target.checkpoint.name, report.written, report.removed,
                           report.modes_changed);
  if (!report.notes.empty()) {
    std::cerr << "levin " << command << ": left alone:\n";
    list_paths(report.notes);
  }
  if (report.left_alone.empty()) {
    const size_t length = outcome.target.log_length.value_or(0);
    std::cout << (length == 0
                      ? "The conversation is empty again.\n"
                      : fmt::format(
                            "The conversation is at {} tokens; levin resume {} goes on from "
                            "there.\n",
                            length, id));
    return 0;
  }
  std::cerr << "levin " << command << ": could not be restored:\n";
  list_paths(report.left_alone);
  return 1;
}

// "id@name" -> both. Errors: kInvalidArgument when a part is missing.
Result<std::pair<std::string, std::string>> split_target(const std::string& text) {
  const size_t at = text.find('@');
  if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 "expected <id>@<step>, such as 20261124-101500-ab12cd@0, found \"" + text + "\"");
  }
  return std::make_pair(text.substr(0, at), text.substr(at + 1));
}

Result<std::string> diff_text(const std::string& text) {
  const size_t at = text.find('@');
  if (at == std::string::npos) return diff_session(text, "", "");
  const std::string range = text.substr(at + 1);
  const size_t dots = range.find("..");
  if (dots == std::string::npos || dots == 0 || dots + 2 == range.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 "expected <id> or <id>@<step>..<step>, found \"" + text + "\"");
  }
  return diff_session(text.substr(0, at), range.substr(0, dots), range.substr(dots + 2));
}

}  // namespace

int command_rewind(const RewindOptions& options, const std::atomic<bool>& interrupted) {
  const auto target = split_target(options.target);
  if (!target) return tell_error("rewind", target.error());
  const auto& [id, name] = *target;
  const Result<RewindOutcome> outcome =
      rewind_session(id, name, options.force, [&] { return !interrupted.load(); });
  return outcome ? tell_outcome("rewind", id, *outcome) : tell_error("rewind", outcome.error());
}

int command_undo(const RewindOptions& options, const std::atomic<bool>& interrupted) {
  const auto work_tree = find_work_tree(std::filesystem::current_path().string());
  if (!work_tree) return tell_error("undo", work_tree.error());
  const Result<std::string> id = newest_session(*work_tree);
  if (!id) return tell_error("undo", id.error());
  const Result<RewindOutcome> outcome =
      rewind_session(*id, "", options.force, [&] { return !interrupted.load(); });
  return outcome ? tell_outcome("undo", *id, *outcome) : tell_error("undo", outcome.error());
}

int command_diff(const std::string& range) {
  const Result<std::string> text = diff_text(range);
  if (!text) return tell_error("diff", text.error());
  // Files may hold anything; a terminal must not obey it. A pipe may lead to `git apply`.
  std::cout << (::isatty(STDOUT_FILENO) != 0 ? printable(*text) : *text) << std::flush;
  return 0;
}

}  // namespace levin::agent
