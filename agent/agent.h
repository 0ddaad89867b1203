// The loop: ask the model, read its reply, run its calls, append the results, until it answers or a
// limit is reached. Everything that happens is an event and a transcript record; what was once in
// the token log is never changed.
#pragma once

#include <atomic>
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
  int64_t steps_max = 40;                // Model replies.
  Checkpointer* checkpointer = nullptr;  // Null: the work tree is not saved.
};

struct Outcome {
  ExitCode exit_code = ExitCode::kFailed;
  std::string reason;   // A stable word; empty when done.
  std::string message;  // For a person.
};

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
        calls_(registry, tools, events, ids_) {}

  // Works on one request until the end; the last event (run.completed or run.failed) is the
  // caller's.
  Outcome run(const std::string& user_text);

  Usage usage() const;
  const std::set<std::string>& changed_files() const { return calls_.changed_files(); }

 private:
  Result<Outcome> loop(const std::string& user_text);
  Result<Generated> reply(int step, Reply* reply);
  Result<void> append(int step, const std::vector<engine::TokenId>& ids,
                      TokensRecord::Source source);
  Result<void> record_reply(int step, const Reply& reply);
  Result<void> checkpoint(int step);
  Result<void> answer_calls(int step, const Reply& reply, const Generated& generated);

  ModelClient& client_;
  const engine::PromptWriter& writer_;
  EventSink& events_;
  Transcript& transcript_;
  AgentOptions options_;
  ItemIds ids_;
  CallRunner calls_;
  Usage usage_;
  double prefill_seconds_ = 0;
  double decode_seconds_ = 0;
  int64_t log_at_reply_ = 0;  // Length of the token log after the last reply.
};

}  // namespace levin::agent
