// The loop: ask the model, read its reply, run its calls, append the results, until it answers or a
// limit is reached. Everything that happens is an event and a transcript record; what was once in
// the token log is never changed.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "agent/call_runner.h"
#include "agent/checkpointer.h"
#include "agent/event_sink.h"
#include "agent/generate.h"
#include "agent/model_client.h"
#include "agent/profile.h"
#include "agent/transcript.h"
#include "engine/chat_template.h"

namespace levin::agent {

// Exit codes that scripts rely on.
enum class ExitCode {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kLimit = 3,
  kDenied = 4,
  kChecksFailed = 5,
  kInterrupted = 130
};

struct AgentOptions {
  Profile profile;
  GenerateOptions generate;
  int64_t steps_max = 40;     // Model replies.
  int first_step = 1;         // Steps are counted through all runs of a session.
  int64_t tokens_reused = 0;  // Of the log at the start: stored state, nothing to prefill.
  bool test_after_edits = false;
  Checkpointer* checkpointer = nullptr;  // Null: the work tree is not saved.
  std::set<std::string> own_files;  // Made by earlier runs: a page in a reply may replace them.
};

// What differs between the attempts of a run.
struct AttemptSettings {
  int64_t steps_max = 40;
  bool ends_on_same_edit = false;     // An edit that changes nothing ends it, with kSameEdit.
  std::optional<double> temperature;  // Absent: as in GenerateOptions.
  uint64_t seed_offset = 0;
};
inline constexpr const char* kSameEdit = "same_edit";

struct Outcome {
  ExitCode exit_code = ExitCode::kFailed;
  std::string reason;   // A stable word; empty when done.
  std::string message;  // For a person.
};

// A full context is a limit, a full disk "io", all else "error".
Outcome failure_of(const Error& error);

// Borrows all its parts; they outlive it. One thread.
class Agent {
 public:
  Agent(ModelClient& client, const engine::PromptWriter& writer, const tools::Registry& registry,
        tools::ToolContext& tools, EventSink& events, Transcript& transcript, AgentOptions options)
      : client_(client),
        writer_(writer),
        events_(events),
        transcript_(transcript),
        options_(std::move(options)),
        calls_(registry, tools, events, ids_, options_.own_files),
        next_step_(options_.first_step) {
    if (options_.test_after_edits) calls_.test_after_edits();
  }

  // Works on what the token log asks for (prefix and request are in it) until the end; the last
  // event (run.completed or run.failed) is the caller's. A reply that was broken off is taken back
  // out of the log.
  Outcome run();

  // The same for one attempt of several; the caller has taken the log back to the request.
  Outcome run(const AttemptSettings& settings);

  // Where the next reply will begin in the log, once its opening is there.
  size_t next_reply_at() const;
  int last_step() const { return next_step_ - 1; }
  // Of the last attempt.
  const Work& work() const { return calls_.work(); }

  Usage usage() const;
  const std::set<std::string>& changed_files() const { return calls_.changed_files(); }

 private:
  Result<Outcome> loop();
  Outcome broken_reply(ExitCode code, const std::string& reason, const std::string& message);
  Result<Generated> reply(int step, Reply* reply);
  // Extends the log by tokens that were not sampled, and records them.
  Result<void> append(int step, const std::vector<engine::TokenId>& ids);
  Result<void> record_reply(int step, const Reply& reply,
                            const std::vector<engine::TokenId>& sampled);
  // Appends the results of a reply's calls as one tool turn, after the end of the reply.
  Result<void> append_results(int step, const std::vector<CallResult>& results,
                              const Generated& generated);
  // Writes a reply that is a page; the E_ text when it may not be written, which the model is told.
  std::string write_page(int step, const HtmlPage& page);
  Result<void> checkpoint(int step);

  ModelClient& client_;
  const engine::PromptWriter& writer_;
  EventSink& events_;
  Transcript& transcript_;
  AgentOptions options_;
  ItemIds ids_;
  CallRunner calls_;
  int next_step_ = 1;
  bool ends_on_same_edit_ = false;
  Usage usage_;
  double prefill_seconds_ = 0;
  double decode_seconds_ = 0;
  int64_t log_at_reply_ = 0;      // Length of the token log after the last reply.
  int64_t log_before_reply_ = 0;  // And where the last reply began.
};

}  // namespace levin::agent
