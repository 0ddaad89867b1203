#include "agent/call_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/unified_diff.h"
#include "tools/patch_apply.h"
#include "tools/syntax_check.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

// The text of member "command", when the arguments hold one.
std::string command_of(const ToolCall& call) {
  const auto arguments = nlohmann::json::parse(call.arguments, nullptr, /*allow_exceptions=*/false);
  if (!arguments.is_object() || !arguments.contains("command") || !arguments["command"].is_string())
    return "";
  return arguments["command"].get<std::string>();
}

CommandItem::Status status_of(const tools::ToolResult& result) {
  if (result.text.rfind("E_TIMEOUT", 0) == 0) return CommandItem::Status::kTimeout;
  if (result.text.rfind("E_DENIED", 0) == 0) return CommandItem::Status::kDenied;
  // Whatever its exit code: it ran to its end.
  return result.failed ? CommandItem::Status::kFailed : CommandItem::Status::kCompleted;
}

// A command's output as the model sees it: the result without its first line.
std::string output_of(const std::string& text) {
  const size_t line = text.find('\n');
  return line == std::string::npos ? "" : text.substr(line + 1);
}

// Behind the text of each file that a patch wrote.
void tell_syntax(const std::vector<tools::FileChange>& changes,
                 tools::PatchOutcome& outcome) {
  for (tools::PatchedFile& file : outcome.files) {
    tools::ToolResult result;
    result.text = file.text;
    for (const tools::FileChange& change : changes) {
      if (change.path == file.path) result.changes.push_back(change);
    }
    tools::add_syntax_notes(result);
    file.text = std::move(result.text);
  }
}

}  // namespace

tools::ToolResult CallRunner::run_command(const ToolCall& call, const std::string& command,
                                          int step) {
  Item item{ids_.next(), CommandItem{command, {}, "", CommandItem::Status::kRunning}};
  events_.on_event(ItemStarted{step, item});
  context_.on_output = [&](std::string_view output) {
    events_.on_event(ItemUpdated{step, item, std::string(output)});
  };
  tools::ToolResult result = registry_.call(call.name, call.arguments, context_);
  context_.on_output = nullptr;
  CommandItem done{command, {}, output_of(result.text), status_of(result)};
  if (result.is_command && result.exit_code >= 0) done.exit_code = result.exit_code;
  if (context_.interrupted != nullptr && context_.interrupted->load()) {
    done.status = CommandItem::Status::kInterrupted;
  }
  if (!result.is_command) done.output = result.text;
  item.body = std::move(done);
  events_.on_event(ItemCompleted{step, std::move(item)});
  tell_warnings(result, step);
  return result;
}

void CallRunner::tell_warnings(const tools::ToolResult& result, int step) {
  for (const std::string& warning : result.warnings) events_.on_event(Warning{step, warning});
  for (const sandbox::Quarantined& moved : result.quarantined) {
    events_.on_event(Warning{
        step, fmt::format("the command made {}, which git, editors or other programs act on "
                          "outside of the sandbox; it was moved to {}",
                          moved.path, moved.place)});
  }
  for (const std::string& path : result.protected_changes) {
    events_.on_event(Warning{
        step, fmt::format("the command made or changed {}; git, editors or other programs may act "
                          "on it outside of the sandbox: look at it first",
                          path)});
  }
}

void CallRunner::report(const ToolCall& call, const tools::ToolResult& result, int step) {
  for (const tools::FileChange& change : result.changes) {
    changed_.insert(change.path);
    has_untested_ = true;
    if (change.created) made_.insert(change.path);
    FileChangeItem item{change.path,
                        change.created   ? FileChangeItem::Kind::kAdd
                        : change.deleted ? FileChangeItem::Kind::kDelete
                                         : FileChangeItem::Kind::kUpdate,
                        unified_diff(change.path, change.before, change.after)};
    events_.on_event(ItemCompleted{step, Item{ids_.next(), std::move(item)}});
  }
  if (!result.changes.empty() && !result.failed) return;
  ToolItem item{call.name, call.arguments, result.text, result.failed};
  events_.on_event(ItemCompleted{step, Item{ids_.next(), std::move(item)}});
}

void CallRunner::tell_about_loops(const ToolCall& call, tools::ToolResult& result) {
  std::string key = call.name + '\0' + call.arguments + '\0' + result.text;
  equal_calls_ = key == last_call_ ? equal_calls_ + 1 : 1;
  last_call_ = std::move(key);
  if (equal_calls_ < kEqualCallsMax) return;
  result.failed = true;
  result.text = fmt::format("E_LOOP same call and result {} times. Change something or finish.",
                            equal_calls_);
}

CallResult CallRunner::run_one(const ToolCall& call, int step) {
  ++num_calls_;
  last_denial_.clear();
  const std::string command = call.name == "bash" ? command_of(call) : "";
  tools::ToolResult result;
  if (!command.empty()) {
    result = run_command(call, command, step);
    if (result.text.starts_with("E_DENIED")) last_denial_ = result.text;
    if (result.is_command && result.exit_code > 0 && work_.failed_command.empty()) {
      work_.failed_command = command;
    }
    tell_about_loops(call, result);
  } else {
    result = registry_.call(call.name, call.arguments, context_);
    if (result.text.starts_with("E_DENIED")) last_denial_ = result.text;
    tell_warnings(result, step);
    if (call.name == "edit" || call.name == "write") work_.has_edited = true;
    if (result.text.starts_with("E_SAME")) work_.has_same_edit = true;
    tell_about_loops(call, result);
    report(call, result, step);
  }
  return {{call.name, std::move(result.text)}, result.failed};
}

void CallRunner::test_changes(std::vector<CallResult>& results, int step) {
  if (!tests_after_edits_ || !has_untested_) return;
  has_untested_ = false;
  const auto last = std::find_if(results.rbegin(), results.rend(), [](const CallResult& result) {
    return !result.failed && result.text.name != "bash" && result.text.name != "test";
  });
  if (last == results.rend()) return;
  const ToolCall call{"test", "{}"};
  const tools::ToolResult result = registry_.call(call.name, call.arguments, context_);
  tell_warnings(result, step);
  report(call, result, step);
  last->text.text += "\ntests: " + result.text;
}

void CallRunner::forget() {
  changed_.clear();
  made_.clear();
  work_ = {};
  last_denial_.clear();
  last_call_.clear();
  equal_calls_ = 0;
}

std::vector<CallResult> CallRunner::run(const Reply& reply, int step) {
  std::vector<CallResult> results;
  const auto refuse = [&](const std::string& name, const std::string& arguments,
                          const std::string& text) {
    ++num_calls_;
    ToolItem item{name, arguments, text, true};
    events_.on_event(ItemCompleted{step, Item{ids_.next(), std::move(item)}});
    results.push_back({{name, text}, true});
  };
  size_t problem = 0;
  for (size_t index = 0; index <= reply.calls.size(); ++index) {
    // A malformed value has no name; bash is a tool that every profile shows.
    for (; problem < reply.problems.size() && reply.problems[problem].call_index <= index;
         ++problem) {
      refuse("bash", "", "E_JSON " + reply.problems[problem].message + "; send the call again.");
    }
    if (index == reply.calls.size()) break;
    const ToolCall& call = reply.calls[index];
    if (call.cut) {
      refuse(call.name.empty() ? "bash" : call.name, call.arguments,
             tools::cut_call_text(call.arguments));
      continue;
    }
    if (context_.interrupted != nullptr && context_.interrupted->load()) break;
    results.push_back(run_one(call, step));
  }
  test_changes(results, step);
  return results;
}

std::vector<CallResult> CallRunner::run_edits(const std::vector<EditGroup>& groups, int step) {
  std::vector<CallResult> results;
  work_.has_edited = true;
  for (const EditGroup& group : groups) {
    tools::PatchOutcome outcome;
    if (!group.problem.empty()) {
      outcome.failed = true;
      outcome.files.push_back({"", "E_ARGS edit: " + group.problem + ". Nothing was applied."});
    } else {
      outcome = tools::apply_operations(group.operations, context_.workspace);
    }
    tools::ToolResult changes;
    changes.changes = std::move(outcome.changes);
    if (context_.checks_syntax) tell_syntax(changes.changes, outcome);
    if (!changes.changes.empty()) report({"edit", "{}"}, changes, step);
    for (const tools::PatchedFile& file : outcome.files) {
      ++num_calls_;
      // Equal failures are told apart by what was asked for.
      const ToolCall call{"edit", nlohmann::json({{"path", file.path}}).dump()};
      tools::ToolResult result;
      result.text = file.text;
      result.failed = outcome.failed;
      tell_about_loops(call, result);
      if (outcome.failed) report(call, result, step);
      results.push_back({{call.name, std::move(result.text)}, outcome.failed});
    }
  }
  test_changes(results, step);
  return results;
}

tools::ToolResult CallRunner::write_page(const HtmlPage& page, int step) {
  const Result<tools::Place> place = context_.workspace.find(page.path);
  const nlohmann::json arguments = {{"path", page.path}, {"content", page.content}};
  const ToolCall call{"write",
                      arguments.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  tools::ToolResult result;
  if (place && place->exists() && made_.count(place->path) == 0) {
    result = tools::failure("E_PATH " + page.path +
                            " exists already; call write to replace it, or name another file.");
  } else {
    result = registry_.call(call.name, call.arguments, context_);
  }
  ++num_calls_;
  report(call, result, step);
  return result;
}

}  // namespace levin::agent
