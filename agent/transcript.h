// The story of a session on disk: one JSON object on a line, only ever appended, so that whatever
// happens the whole steps that were written stay readable. Format: docs/formats/transcript.md.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/tokenizer.h"

namespace levin::agent {

// The first line.
struct SessionRecord {
  std::string id;
  std::string version;      // Of levin.
  std::string workspace;    // Absolute path.
  std::string model;        // As the user named it.
  std::string fingerprint;  // Of the model; another one cannot read the token ids.
  nlohmann::ordered_json options = nlohmann::ordered_json::object();
};
// Ids that were appended to the token log; all of them in order are the log.
struct TokensRecord {
  enum class Source { kPrefilled, kSampled };
  int step = 0;
  Source source = Source::kPrefilled;
  std::vector<engine::TokenId> ids;
};
// For readers; the model knows only the token log.
struct MessageRecord {
  enum class Role { kUser, kAssistant, kReasoning };
  int step = 0;
  Role role = Role::kUser;
  std::string text;
};
struct CallRecord {
  int step = 0;
  int index = 0;  // In the reply, from 0.
  std::string name;
  std::string arguments;
  bool cut = false;
};
struct ResultRecord {
  int step = 0;
  int index = 0;  // Of the call that it answers.
  std::string name;
  std::string text;
  bool failed = false;
};
// The step's figures, as in the event `state`.
struct StateRecord {
  int step = 0;
  int64_t reused = 0;
  int64_t prefilled = 0;
  int64_t generated = 0;
};
// The token log was cut back to `length` tokens: a reply that was broken off is sampled again.
struct CutRecord {
  size_t length = 0;
};
// The work tree was saved: before the first step, after a step, or by a rewind before it went back.
struct CheckpointRecord {
  int step = 0;
  std::string name;    // What follows @ in `levin rewind id@name`: the step, or saved-1 ...
  std::string commit;  // In the repository of the workspace.
};
// The work tree went back to a checkpoint. Written twice: before the first file is touched, and
// when all are as they were. The second one takes the conversation along.
struct RewindRecord {
  std::string name;
  std::string commit;
  bool done = false;
  std::optional<size_t> length = std::nullopt;  // Of the token log from here on; absent: as it was.
};
// The request is begun anew: what follows belongs to attempt `attempt`. A `rewind` and a `cut`
// before it took files and log back.
struct RetryRecord {
  int attempt = 0;   // From 2.
  int attempts = 0;  // At most.
  std::string reason;
  double temperature = 0;
};
// A run ended. More records may follow when the session goes on.
struct EndRecord {
  bool completed = false;
  std::string reason;  // Empty when completed.
  int exit_code = 0;
};

using Record =
    std::variant<SessionRecord, TokensRecord, MessageRecord, CallRecord, ResultRecord, StateRecord,
                 CutRecord, CheckpointRecord, RewindRecord, RetryRecord, EndRecord>;

nlohmann::ordered_json to_json(const Record& record);
// Errors: kCorrupt, with what was expected.
Result<Record> record_from_json(const nlohmann::ordered_json& json);

// `time` in UTC and the low 24 bits of `random`: 20261124-101500-ab12cd. Sorts by time.
std::string make_session_id(std::time_t time, uint32_t random);
std::string new_session_id();

// Writes one transcript. One process at a time: the file is locked while it is open.
class Transcript {
 public:
  static constexpr std::string_view kFileName = "transcript.jsonl";

  // Makes `folder` (0700) and in it a new file (0600) with its first line. Errors: kIo, naming the
  // file and the reason; also when the file exists.
  static Result<Transcript> create(const std::string& folder, const SessionRecord& header);

  // Goes on with the transcript at `path`, of which `whole_bytes` are whole lines
  // (read_transcript); what follows them is cut off. Errors: kIo, also when another process holds
  // it.
  static Result<Transcript> reopen(const std::string& path, uint64_t whole_bytes);

  // Writes one line. The records that end something (session, state, checkpoint, rewind, end) are
  // flushed to the disk with all before them. Errors: kIo; then the file holds no part of the
  // record, as far as the system lets that be undone.
  Result<void> append(const Record& record);

  // Flushes to the disk. Errors: kIo.
  Result<void> sync();

  const std::string& path() const { return path_; }

 private:
  Transcript(UniqueFd fd, std::string path, uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

  UniqueFd fd_;
  std::string path_;
  uint64_t size_ = 0;  // Bytes of whole records.
};

struct TranscriptContent {
  std::vector<Record> records;
  uint64_t whole_bytes = 0;  // The file up to the end of its last whole line.
  uint64_t cut_bytes = 0;    // After them: a line that was being written when the process died.
};

// Reads all of it. A last line without its line break is left out and counted, no error. Errors:
// kNotFound, kIo; kCorrupt, naming the line, for a whole line that is no record, or a first line
// that is no session record.
Result<TranscriptContent> read_transcript(const std::string& path);

// Only the first line, for lists of sessions. Errors: as read_transcript().
Result<SessionRecord> read_session_record(const std::string& path);

}  // namespace levin::agent
