// Going on with an earlier session: what its transcript says about the token log, and how a further
// request (or none) is attached to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/transcript.h"
#include "base/result.h"
#include "engine/chat_template.h"

namespace levin::agent {

// How the log of a session ends.
enum class LogEnd {
  kEmpty,           // Before its first request: nothing is left to do.
  kAnswered,        // A final answer; nothing is left to do.
  kReplyBroken,     // Sampled tokens of a reply that was cut or whose calls were not all run.
  kAtReplyStart,    // The opening of a reply: sampling goes on here.
  kBetweenReplies,  // A whole user or tool turn.
};

struct Continuation {
  SessionRecord session;
  std::vector<engine::TokenId> log;
  LogEnd end = LogEnd::kBetweenReplies;
  size_t broken_from = 0;      // kReplyBroken: where its sampled tokens begin.
  int last_step = 0;           // The greatest number that a step ever had.
  int step = 0;                // The last one in this log; a rewind makes it differ.
  size_t replies_sampled = 0;  // In this log, whole or broken; those given up again not counted.
  uint64_t whole_bytes = 0;    // Of the transcript, for Transcript::reopen().
};

// Reads the records of one transcript. `assistant_start` are the ids that open a reply. Errors:
// kCorrupt when a cut lies beyond the log.
Result<Continuation> read_continuation(const TranscriptContent& content,
                                       const std::vector<engine::TokenId>& assistant_start);

// The ids of the newest sessions first. An empty `workspace` means all. Sessions that cannot be
// read are left out.
Result<std::vector<std::string>> find_sessions(const std::string& workspace);

}  // namespace levin::agent
