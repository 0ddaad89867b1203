// The rounds of `levin webapp`: the model writes an app, a browser uses it, the report goes back to the
// model, until all checks pass or the rounds are spent.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/folder_snapshot.h"
#include "agent/session_start.h"
#include "tools/web_check.h"

namespace levin::agent {

enum class Repair {
  kGoOn,     // The report is appended as a further turn. For models that can use it.
  kStartOver,  // Back to the request, sampled again with another temperature and seed.
};

struct WebappOptions {
  std::string request;
  std::string folder;         // Absolute; the app.
  std::string report_folder;  // Absolute; beside the app.
  tools::WebSpec spec;
  int rounds_max = 5;
  Repair repair = Repair::kGoOn;
  double retry_temperature = 1.0;  // Of kStartOver, and of rounds that go back.
};

// Borrowed; outlive the run.
struct WebappParts {
  SessionStart start;
  const tools::Registry& registry;
  tools::ToolContext& tools;
  EventSink& events;
  AgentOptions agent;
};

class Webapp {
 public:
  Webapp(WebappParts parts, WebappOptions options) : parts_(std::move(parts)), options_(std::move(options)) {}

  // The reason is "checks_failed" or "no_browser" with ExitCode::kChecksFailed, or that of the agent.
  Outcome run();
  const Usage& usage() const { return usage_; }

 private:
  // One round as it ended, to go back to.
  struct Round {
    FolderSnapshot files;
    size_t log_length = 0;
    bool end_sampled = false;
    tools::WebReport report;
    std::string text;
  };

  Result<Outcome> rounds();
  Result<Outcome> generate();
  Result<tools::WebReport> check(int round);
  Result<void> tell(const tools::WebReport& report, int round);
  Result<void> prepare_repair(const std::vector<Round>& done);
  Result<void> go_back(size_t log_length);
  Result<void> publish(int round);
  Result<void> append(const std::vector<engine::TokenId>& ids);
  Outcome ended(const tools::WebReport& report) const;

  WebappParts parts_;
  WebappOptions options_;
  Usage usage_;
  int64_t reused_ = 0;        // Of the log at the start of the next round.
  size_t request_length_ = 0;  // Of the log after the request.
  FolderSnapshot before_;
  std::set<std::string> own_files_;
};

}  // namespace levin::agent
