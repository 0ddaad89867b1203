#include "agent/attempts.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/test_command.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

// What the embedded model's figures were measured with is 8; a repair takes 5 or 6.
constexpr int64_t kStepsPerAttemptMax = 10;
constexpr int kTestSecondsMax = 300;

// How an attempt's files stand the tests.
struct Judgement {
  bool is_judged = false;
  bool passed = false;
  std::string command;
  int exit_code = 0;
};

class Attempts {
 public:
  Attempts(const AttemptParts& parts, const AttemptOptions& options)
      : parts_(parts), options_(options), steps_left_(options.steps_max) {}

  Outcome run() {
    // Up to where the first reply will begin; the same for each attempt.
    const size_t log_length = parts_.agent.next_reply_at();
    Outcome outcome = one(0);
    for (int64_t attempt = 1; may_be_judged(outcome); ++attempt) {
      const Judgement judged = judge();
      if (!judged.is_judged) return outcome;
      if (judged.passed)
        return outcome.reason == kSameEdit ? Outcome{ExitCode::kDone, "", ""} : outcome;
      const std::string still =
          fmt::format("`{}` still ends with exit code {}", judged.command, judged.exit_code);
      if (attempt > options_.retries || steps_left_ <= 0) {
        return {ExitCode::kChecksFailed, "checks",
                fmt::format("{} after {} attempts", still, attempt)};
      }
      const Result<void> back = go_back(log_length);
      if (!back) return failure_of(back.error());
      const Result<void> told = tell(attempt, still);
      if (!told) return failure_of(told.error());
      outcome = one(attempt);
    }
    return outcome;
  }

 private:
  Outcome one(int64_t attempt) {
    AttemptSettings settings;
    settings.steps_max = std::min(kStepsPerAttemptMax, steps_left_);
    // The last one may use what is left.
    if (attempt == options_.retries) settings.steps_max = steps_left_;
    settings.ends_on_same_edit = attempt < options_.retries;
    if (attempt > 0) {
      settings.temperature = options_.retry_temperature;
      settings.seed_offset = static_cast<uint64_t>(attempt);
    }
    const int before = parts_.agent.usage().steps;
    Outcome outcome = parts_.agent.run(settings);
    steps_left_ -= parts_.agent.usage().steps - before;
    // The agent knows its own limit alone, which is not the user's --max-turns here.
    if (outcome.reason == "max_turns" && steps_left_ > 0) {
      outcome.message = fmt::format("no answer after {} replies, the most for one of {} attempts",
                                    settings.steps_max, options_.retries + 1);
    }
    return outcome;
  }

  static bool may_be_judged(const Outcome& outcome) {
    return outcome.exit_code == ExitCode::kDone || outcome.reason == kSameEdit ||
           outcome.reason == "max_turns" || outcome.reason == "context" ||
           outcome.reason == "max_tokens" || outcome.reason == "empty_reply";
  }

  // A request that is no repair (no command failed, or nothing was edited) is not for the tests to
  // judge. The first command that failed counts as a test, since the model went by it.
  Judgement judge() {
    Judgement judged;
    const Work& work = parts_.agent.work();
    if (work.failed_command.empty() || !work.has_edited) return judged;
    std::vector<std::string> commands = {options_.test_command};
    if (options_.test_command.empty()) {
      commands = {work.failed_command, tools::find_test_command(parts_.tools.workspace)};
    }
    for (const std::string& command : commands) {
      if (command.empty()) continue;
      const nlohmann::json arguments = {{"command", command}, {"timeout_s", kTestSecondsMax}};
      const tools::ToolResult result = parts_.registry.call(
          "bash", arguments.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
          parts_.tools);
      if (!result.is_command || result.exit_code < 0) continue;  // Says nothing.
      if (!judged.is_judged) {
        judged = {true, false, command, result.exit_code};
      }
      judged.passed = judged.passed || result.exit_code == 0;
      if (judged.passed) break;
    }
    return judged;
  }

  // What the tests left behind belongs to the attempt.
  Result<void> go_back(size_t log_length) {
    TRY_ASSIGN(const CheckpointRecord last, parts_.checkpointer.save(parts_.agent.last_step()));
    TRY(parts_.transcript.append(last));
    TRY(parts_.checkpointer.go_back(options_.start, parts_.transcript));
    TRY(parts_.client.rewind(static_cast<int64_t>(log_length)));
    TRY(parts_.transcript.append(CutRecord{log_length}));
    parts_.tools.workspace.forget_seen();
    return {};
  }

  Result<void> tell(int64_t attempt, const std::string& reason) {
    const RetryRecord record{static_cast<int>(attempt + 1), static_cast<int>(options_.retries + 1),
                             reason, options_.retry_temperature};
    TRY(parts_.transcript.append(record));
    parts_.events.on_event(
        Retried{record.attempt, record.attempts, record.reason, record.temperature});
    return {};
  }

  const AttemptParts& parts_;
  const AttemptOptions& options_;
  int64_t steps_left_;
};

}  // namespace

Outcome run_attempts(const AttemptParts& parts, const AttemptOptions& options) {
  if (options.retries <= 0) return parts.agent.run();
  return Attempts(parts, options).run();
}

}  // namespace levin::agent
