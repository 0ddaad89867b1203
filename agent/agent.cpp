#include "agent/agent.h"

#include <algorithm>
#include <chrono>
#include <span>

namespace levin::agent {
namespace {

bool has_whole_call(const Reply& reply) {
  for (const ToolCall& call : reply.calls) {
    if (!call.cut) return true;
  }
  return false;
}

bool ends_with(const std::vector<engine::TokenId>& log, const std::vector<engine::TokenId>& tail) {
  return log.size() >= tail.size() && std::equal(tail.rbegin(), tail.rend(), log.rbegin());
}

}  // namespace

Outcome failure_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kLimit:
      return {ExitCode::kLimit, "context", error.message()};
    case ErrorCode::kIo:
      return {ExitCode::kFailed, "io", error.message()};
    default:
      return {ExitCode::kFailed, "error", error.message()};
  }
}

Outcome Agent::run() {
  log_at_reply_ = options_.tokens_reused;
  Result<Outcome> outcome = loop();
  if (outcome) return *std::move(outcome);
  const bool is_cut = outcome.error().code() == ErrorCode::kLimit;
  if (!is_cut && client_.exhausted()) {
    return {ExitCode::kFailed, "script_end", outcome.error().message()};
  }
  return failure_of(outcome.error());
}

Outcome Agent::run(const AttemptSettings& settings) {
  if (next_step_ != options_.first_step) {
    calls_.forget();
    options_.tokens_reused = client_.num_computed();
  }
  options_.steps_max = settings.steps_max;
  if (settings.temperature) options_.generate.sample.temperature = *settings.temperature;
  options_.generate.sample.seed += settings.seed_offset;
  ends_on_same_edit_ = settings.ends_on_same_edit;
  return run();
}

size_t Agent::next_reply_at() const {
  const std::vector<engine::TokenId> opening = writer_.assistant_start();
  const size_t size = client_.token_log().size();
  return ends_with(client_.token_log(), opening) ? size : size + opening.size();
}

// Takes the reply back out of the log, so that a continued session samples it anew.
Outcome Agent::broken_reply(ExitCode code, const std::string& reason, const std::string& message) {
  Result<void> cut = client_.rewind(log_before_reply_);
  if (cut) cut = transcript_.append(CutRecord{static_cast<size_t>(log_before_reply_)});
  if (!cut) return failure_of(cut.error());
  return Outcome{code, reason, message};
}

Result<Outcome> Agent::loop() {
  const auto interrupted = [&] {
    return options_.generate.interrupted != nullptr && options_.generate.interrupted->load();
  };
  for (int64_t count = 0; count < options_.steps_max; ++count) {
    const int step = next_step_;
    if (client_.exhausted()) {
      return Outcome{ExitCode::kFailed, "script_end", "the script has no reply left"};
    }
    Reply reply;
    TRY_ASSIGN(const Generated generated, this->reply(step, &reply));
    ++next_step_;
    if (generated.finish == FinishReason::kInterrupted) {
      return broken_reply(ExitCode::kInterrupted, "interrupted", "stopped by the user");
    }
    // At a limit only whole calls count; an end marker inside a call gets an answer instead.
    if (generated.finish == FinishReason::kLength && !has_whole_call(reply)) {
      return broken_reply(
          ExitCode::kLimit, generated.cut_by.empty() ? "max_tokens" : "context",
          "the reply was cut after " + std::to_string(generated.num_tokens) + " tokens" +
              (generated.cut_by.empty() ? " (--max-tokens)" : ": " + generated.cut_by));
    }
    if (reply.calls.empty() && reply.problems.empty()) {
      if (reply.content.find_first_not_of(" \t\r\n") == std::string::npos) {
        return Outcome{ExitCode::kFailed, "empty_reply", "the model ended without an answer"};
      }
      const ReplyEdits edits = find_reply_edits(reply.content);
      if (edits.groups.empty()) {
        std::string refused;
        if (edits.page) refused = write_page(step, *edits.page);
        if (refused.empty() && !calls_.last_denial().empty()) {
          return Outcome{ExitCode::kDenied, "denied", calls_.last_denial()};
        }
        if (refused.empty()) return Outcome{ExitCode::kDone, "", ""};
        TRY(append_results(step, {CallResult{{"write", refused}, true}}, generated));
      } else {
        TRY(append_results(step, calls_.run_edits(edits.groups, step), generated));
      }
    } else {
      TRY(append_results(step, calls_.run(reply, step), generated));
    }
    if (interrupted()) return Outcome{ExitCode::kInterrupted, "interrupted", "stopped by the user"};
    if (ends_on_same_edit_ && calls_.work().has_same_edit) {
      return Outcome{ExitCode::kFailed, kSameEdit, "an edit changed nothing"};
    }
  }
  return Outcome{
      ExitCode::kLimit, "max_turns",
      "no answer after " + std::to_string(options_.steps_max) + " replies (--max-turns)"};
}

Result<void> Agent::append(int step, const std::vector<engine::TokenId>& ids) {
  TRY(client_.append(ids));
  return transcript_.append(TokensRecord{step, TokensRecord::Source::kPrefilled, ids});
}

std::string Agent::write_page(int step, const HtmlPage& page) {
  const tools::ToolResult result = calls_.write_page(page, step);
  usage_.tool_calls = calls_.num_calls();
  return result.failed ? result.text : "";
}

// Samples one reply; its events, figures and records are out when this returns.
Result<Generated> Agent::reply(int step, Reply* reply) {
  // A continued session may stand at the start of a reply already.
  const std::vector<engine::TokenId> opening = writer_.assistant_start();
  if (!ends_with(client_.token_log(), opening)) TRY(append(step, opening));
  const auto log_before = static_cast<int64_t>(client_.token_log().size());
  log_before_reply_ = log_before;
  const auto start = std::chrono::steady_clock::now();
  TRY(client_.mark());
  prefill_seconds_ +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ReplyStream stream(events_, ids_, step);
  Result<Generated> generated = generate(client_, writer_.end_of_sentence(), options_.generate,
                                         [&](std::string_view text) { stream.push(text); });
  *reply = stream.finish();
  if (!generated) return generated;
  const auto& log = client_.token_log();
  StepState state{step, log_at_reply_, log_before - log_at_reply_,
                  static_cast<int64_t>(log.size()) - log_before};
  log_at_reply_ = static_cast<int64_t>(log.size());
  usage_.steps += 1;
  usage_.reused += state.reused;
  usage_.prefilled += state.prefilled;
  usage_.generated += state.generated;
  prefill_seconds_ += generated->first_token_seconds;
  decode_seconds_ += generated->seconds;
  const std::vector<engine::TokenId> sampled(log.begin() + log_before, log.end());
  Result<void> recorded = record_reply(step, *reply, sampled);
  if (recorded)
    recorded =
        transcript_.append(StateRecord{step, state.reused, state.prefilled, state.generated});
  // After the record, which a listener may read, and also when there was no room for it.
  events_.on_event(state);
  TRY(recorded);
  return generated;
}

Result<void> Agent::record_reply(int step, const Reply& reply,
                                 const std::vector<engine::TokenId>& sampled) {
  TRY(transcript_.append(TokensRecord{step, TokensRecord::Source::kSampled, sampled}));
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

// After each step that ran calls.
Result<void> Agent::checkpoint(int step) {
  if (options_.checkpointer == nullptr) return {};
  Result<CheckpointRecord> saved = options_.checkpointer->save(step);
  if (!saved) {
    return std::move(saved).error().context("cannot save checkpoint @" + std::to_string(step));
  }
  return transcript_.append(*saved);
}

Result<void> Agent::append_results(int step, const std::vector<CallResult>& results,
                                   const Generated& generated) {
  std::vector<engine::ToolResultText> texts;
  usage_.tool_calls = calls_.num_calls();
  for (size_t index = 0; index < results.size(); ++index) {
    const auto& [text, failed] = results[index];
    TRY(transcript_.append(
        ResultRecord{step, static_cast<int>(index), text.name, text.text, failed}));
    texts.push_back(text);
  }
  TRY(checkpoint(step));
  TRY(append(step, writer_.assistant_end(generated.finish == FinishReason::kStop)));
  TRY(append(step, writer_.tool_turn(texts)));
  return transcript_.sync();
}

Usage Agent::usage() const {
  Usage usage = usage_;
  if (prefill_seconds_ > 0)
    usage.prefill_tokens_per_second = static_cast<double>(usage.prefilled) / prefill_seconds_;
  const engine::DraftStats drafts = client_.draft_stats();
  usage.drafted = drafts.drafted;
  usage.accepted = drafts.accepted;
  // The first token of each reply came out of the prefill.
  const int64_t decoded = usage.generated - usage.steps;
  if (decode_seconds_ > 0 && decoded > 0)
    usage.tokens_per_second = static_cast<double>(decoded) / decode_seconds_;
  return usage;
}

}  // namespace levin::agent
