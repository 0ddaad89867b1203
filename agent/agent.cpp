#include "agent/agent.h"

#include <span>

namespace levin::agent {
namespace {

bool has_whole_call(const Reply& reply) {
  for (const ToolCall& call : reply.calls) {
    if (!call.cut) return true;
  }
  return false;
}

Outcome failure_of(const Error& error, const ModelClient& client) {
  if (error.code() == ErrorCode::kLimit) return {ExitCode::kLimit, "context", error.message()};
  if (client.exhausted()) return {ExitCode::kFailed, "script_end", error.message()};
  switch (error.code()) {
    case ErrorCode::kIo:
      return {ExitCode::kFailed, "io", error.message()};
    default:
      return {ExitCode::kFailed, "error", error.message()};
  }
}

}  // namespace

Outcome Agent::run(const std::string& user_text) {
  Result<Outcome> outcome = loop(user_text);
  return outcome ? *std::move(outcome) : failure_of(outcome.error(), client_);
}

Result<Outcome> Agent::loop(const std::string& user_text) {
  if (client_.token_log().empty()) {
    TRY(append(0, writer_.prefix(options_.profile.system_text, options_.profile.tool_lines),
               TokensRecord::Source::kPrefilled));
  }
  TRY(checkpoint(0));
  TRY(transcript_.append(MessageRecord{0, MessageRecord::Role::kUser, user_text}));
  TRY(append(0, writer_.user_turn(user_text), TokensRecord::Source::kPrefilled));
  for (int step = 1; step <= options_.steps_max; ++step) {
    if (client_.exhausted()) {
      return Outcome{ExitCode::kFailed, "script_end", "the script has no reply left"};
    }
    Reply reply;
    TRY_ASSIGN(const Generated generated, this->reply(step, &reply));
    if (generated.finish == FinishReason::kInterrupted) {
      return Outcome{ExitCode::kInterrupted, "interrupted", "stopped by the user"};
    }
    // At a limit only whole calls count; an end marker inside a call gets an answer instead.
    if (generated.finish == FinishReason::kLength && !has_whole_call(reply)) {
      return Outcome{ExitCode::kLimit, "max_tokens",
                     "the reply was cut after " + std::to_string(generated.num_tokens) + " tokens" +
                         (generated.cut_by.empty() ? " (--max-tokens)" : ": " + generated.cut_by)};
    }
    if (reply.calls.empty() && reply.problems.empty()) {
      if (reply.content.find_first_not_of(" \t\r\n") == std::string::npos) {
        return Outcome{ExitCode::kFailed, "empty_reply", "the model ended without an answer"};
      }
      return Outcome{ExitCode::kDone, "", ""};
    }
    TRY(answer_calls(step, reply, generated));
    if (options_.generate.interrupted != nullptr && options_.generate.interrupted->load()) {
      return Outcome{ExitCode::kInterrupted, "interrupted", "stopped by the user"};
    }
  }
  return Outcome{
      ExitCode::kLimit, "max_turns",
      "no answer after " + std::to_string(options_.steps_max) + " replies (--max-turns)"};
}

Result<void> Agent::append(int step, const std::vector<engine::TokenId>& ids,
                           TokensRecord::Source source) {
  TRY(client_.append(ids));
  return transcript_.append(TokensRecord{step, source, ids});
}

// Samples one reply; its events, figures and records are out when this returns.
Result<Generated> Agent::reply(int step, Reply* reply) {
  TRY(append(step, writer_.assistant_start(), TokensRecord::Source::kPrefilled));
  const auto log_before = static_cast<int64_t>(client_.token_log().size());
  ReplyStream stream(events_, ids_, step);
  Result<Generated> generated = generate(client_, writer_.end_of_sentence(), options_.generate,
                                         [&](std::string_view text) { stream.push(text); });
  *reply = stream.finish();
  if (!generated) return generated;
  const auto& log = client_.token_log();
  StepState state{step, log_at_reply_, log_before - log_at_reply_,
                  static_cast<int64_t>(log.size()) - log_before};
  log_at_reply_ = static_cast<int64_t>(log.size());
  usage_.steps = step;
  usage_.reused += state.reused;
  usage_.prefilled += state.prefilled;
  usage_.generated += state.generated;
  prefill_seconds_ += generated->first_token_seconds;
  decode_seconds_ += generated->seconds;
  const std::vector<engine::TokenId> sampled(log.begin() + log_before, log.end());
  TRY(transcript_.append(TokensRecord{step, TokensRecord::Source::kSampled, sampled}));
  TRY(record_reply(step, *reply));
  TRY(transcript_.append(StateRecord{step, state.reused, state.prefilled, state.generated}));
  events_.on_event(state);
  return generated;
}

Result<void> Agent::record_reply(int step, const Reply& reply) {
  if (!reply.reasoning.empty()) {
    TRY(transcript_.append(MessageRecord{step, MessageRecord::Role::kReasoning, reply.reasoning}));
  }
  if (!reply.content.empty()) {
    TRY(transcript_.append(MessageRecord{step, MessageRecord::Role::kAssistant, reply.content}));
  }
  for (size_t index = 0; index < reply.calls.size(); ++index) {
    const ToolCall& call = reply.calls[index];
    TRY(transcript_.append(
        CallRecord{step, static_cast<int>(index), call.name, call.arguments, call.cut}));
  }
  return {};
}

// Before the first step, and after each one that ran calls.
Result<void> Agent::checkpoint(int step) {
  if (options_.checkpointer == nullptr) return {};
  Result<CheckpointRecord> saved = options_.checkpointer->save(step);
  if (!saved) {
    return std::move(saved).error().context("cannot save checkpoint @" + std::to_string(step));
  }
  return transcript_.append(*saved);
}

// Runs the calls and appends their results as one tool turn, after the end of the reply.
Result<void> Agent::answer_calls(int step, const Reply& reply, const Generated& generated) {
  const std::vector<engine::ToolResultText> results = calls_.run(reply, step);
  usage_.tool_calls = calls_.num_calls();
  for (size_t index = 0; index < results.size(); ++index) {
    const engine::ToolResultText& one = results[index];
    TRY(transcript_.append(ResultRecord{step, static_cast<int>(index), one.name, one.text,
                                        one.text.rfind("E_", 0) == 0}));
  }
  TRY(checkpoint(step));
  TRY(append(step, writer_.assistant_end(generated.finish == FinishReason::kStop),
             TokensRecord::Source::kPrefilled));
  TRY(append(step, writer_.tool_turn(results), TokensRecord::Source::kPrefilled));
  return transcript_.sync();
}

Usage Agent::usage() const {
  Usage usage = usage_;
  if (prefill_seconds_ > 0)
    usage.prefill_tokens_per_second = static_cast<double>(usage.prefilled) / prefill_seconds_;
  // The first token of each reply came out of the prefill.
  const int64_t decoded = usage.generated - usage.steps;
  if (decode_seconds_ > 0 && decoded > 0)
    usage.tokens_per_second = static_cast<double>(decoded) / decode_seconds_;
  return usage;
}

}  // namespace levin::agent
