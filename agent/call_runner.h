// Runs the calls of one reply in order, tells the events and collects what the model will see.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/event_sink.h"
#include "agent/reply_edits.h"
#include "agent/reply_parser.h"
#include "agent/reply_stream.h"
#include "engine/chat_template.h"
#include "tools/registry.h"

namespace levin::agent {

// After so many equal calls with equal results in a row the model is told so.
constexpr int kEqualCallsMax = 3;

// What the model is told about one call.
struct CallResult {
  engine::ToolResultText text;
  bool failed = false;  // The text begins with an E_ code.
};

// What the calls so far amount to.
struct Work {
  std::string failed_command;  // The first that ended with another exit code than 0.
  bool has_edited = false;     // An edit was asked for, whatever came of it.
  bool has_same_edit = false;  // One of them would have changed nothing.
};

class CallRunner {
 public:
  CallRunner(const tools::Registry& registry, tools::ToolContext& context, EventSink& events,
             ItemIds& ids, std::set<std::string> own_files = {})
      : registry_(registry),
        context_(context),
        events_(events),
        ids_(ids),
        made_(std::move(own_files)) {}

  // One result per call or malformed call, in the order of the reply. A cut call is answered, never
  // run.
  std::vector<CallResult> run(const Reply& reply, int step);

  // Applies the edits of a reply without calls; one result named `edit` per file, in order.
  std::vector<CallResult> run_edits(const std::vector<EditGroup>& groups, int step);

  // Writes a page that is a whole reply. E_PATH for one that exists and was not made in this run.
  tools::ToolResult write_page(const HtmlPage& page, int step);

  // Files that tools wrote, relative to the workspace.
  const std::set<std::string>& changed_files() const { return changed_; }
  int num_calls() const { return num_calls_; }
  const Work& work() const { return work_; }
  // From now on the tests run after each reply that changed files by its edits; how they went is
  // told with the last of them.
  void test_after_edits() { tests_after_edits_ = true; }
  // Begins anew: files changed, work and repeated calls. The number of calls stays.
  void forget();
  // What was said to the last call when it was not let run; empty otherwise.
  const std::string& last_denial() const { return last_denial_; }

 private:
  CallResult run_one(const ToolCall& call, int step);
  tools::ToolResult run_command(const ToolCall& call, const std::string& command, int step);
  void tell_warnings(const tools::ToolResult& result, int step);
  // A model that repeats itself is told so instead of the result.
  void tell_about_loops(const ToolCall& call, tools::ToolResult& result);
  void test_changes(std::vector<CallResult>& results, int step);
  void report(const ToolCall& call, const tools::ToolResult& result, int step);

  const tools::Registry& registry_;
  tools::ToolContext& context_;
  EventSink& events_;
  ItemIds& ids_;
  std::set<std::string> changed_;
  std::set<std::string> made_;  // Those of them that were not there before.
  int num_calls_ = 0;
  Work work_;
  bool tests_after_edits_ = false;
  bool has_untested_ = false;  // Changes that no test has seen.
  std::string last_denial_;
  std::string last_call_;  // Name, arguments and result of the last call ...
  int equal_calls_ = 0;    // ... and how often it came in a row.
};

}  // namespace levin::agent
