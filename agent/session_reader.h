// Follows the records of one transcript, in order: the token log with all its branches, where each
// checkpoint stands in the conversation, and which requests led there.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/token_tree.h"
#include "agent/transcript.h"
#include "base/result.h"

namespace levin::agent {

// A moment of the conversation.
struct Moment {
  TokenTree::Place place;
  bool is_sampled = false;        // The last tokens were sampled.
  bool is_completed = false;      // The run that sampled them gave its final answer.
  size_t broken_from = 0;         // Where the last sampled tokens begin.
  size_t replies_sampled = 0;     // Whole or broken; those given up again not counted.
  int step = 0;                   // Of the last sampled reply.
  std::optional<size_t> request;  // The last one, in SessionReader::requests().
};

struct Request {
  CheckpointRecord checkpoint;  // The files before it.
  Moment before;                // The conversation before it.
};

class SessionReader {
 public:
  // Errors: kCorrupt when a cut lies beyond the log.
  Result<void> read(const std::vector<Record>& records);

  const SessionRecord& session() const { return session_; }
  const Moment& now() const { return now_; }
  std::vector<engine::TokenId> log() const { return tree_.log(); }
  int last_step() const { return last_step_; }  // Of all branches.

  // The conversation that belongs to the newest checkpoint of this name: what follows it is the
  // next reply. Null when there is none.
  const Moment* moment_of(const std::string& checkpoint) const;

  // The last request that a checkpoint lies before; null when there is none.
  const Request* last_request() const { return now_.request ? &requests_[*now_.request] : nullptr; }

 private:
  void see(const SessionRecord& record) { session_ = record; }
  void see(const TokensRecord& record);
  void see(const MessageRecord& record);
  void see(const CutRecord& record);
  void see(const CheckpointRecord& record);
  void see(const RewindRecord& record);
  void see(const EndRecord& record);
  template <typename Other>
  void see(const Other&) {}

  void update_open();
  // Brings the conversation to where a rewind left it.
  void go_back(const std::string& checkpoint, size_t length);
  Moment at_length(const Moment& target, size_t length) const;

  SessionRecord session_;
  TokenTree tree_;
  Moment now_;
  int last_step_ = 0;
  std::vector<Request> requests_;
  std::map<std::string, Moment> moments_;
  std::string open_;  // The checkpoint whose conversation still grows: until the next reply.
  std::optional<CheckpointRecord> last_checkpoint_;
  Moment at_checkpoint_;  // When it was made.
  std::string problem_;
};

}  // namespace levin::agent
