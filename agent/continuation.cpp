#include "agent/continuation.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "agent/paths.h"

namespace levin::agent {
namespace {

using engine::TokenId;

bool ends_with(const std::vector<TokenId>& log, const std::vector<TokenId>& tail) {
  return log.size() >= tail.size() && std::equal(tail.rbegin(), tail.rend(), log.rbegin());
}

// Follows the records one by one.
class LogReader {
 public:
  explicit LogReader(Continuation& out) : out_(out) {}

  Result<void> operator()(const SessionRecord& record) {
    out_.session = record;
    return {};
  }
  Result<void> operator()(const TokensRecord& record) {
    is_sampled_ = record.source == TokensRecord::Source::kSampled;
    if (is_sampled_) {
      out_.broken_from = out_.log.size();
      ++out_.replies_sampled;
    }
    out_.last_step = std::max(out_.last_step, record.step);
    out_.log.insert(out_.log.end(), record.ids.begin(), record.ids.end());
    return {};
  }
  Result<void> operator()(const CutRecord& record) {
    if (record.length > out_.log.size()) {
      return Error(ErrorCode::kCorrupt, "cuts the token log to " + std::to_string(record.length) +
                                            " of " + std::to_string(out_.log.size()) + " tokens");
    }
    if (is_sampled_ && record.length <= out_.broken_from) --out_.replies_sampled;
    out_.log.resize(record.length);
    is_sampled_ = false;
    return {};
  }
  Result<void> operator()(const EndRecord& record) {
    is_answered_ = record.completed;
    return {};
  }
  template <typename Other>
  Result<void> operator()(const Other&) {
    return {};
  }

  bool is_sampled() const { return is_sampled_; }
  bool is_answered() const { return is_sampled_ && is_answered_; }

 private:
  Continuation& out_;
  bool is_sampled_ = false;   // The last tokens were sampled.
  bool is_answered_ = false;  // The last run was completed.
};

}  // namespace

Result<Continuation> read_continuation(const TranscriptContent& content,
                                       const std::vector<TokenId>& assistant_start) {
  Continuation out;
  out.whole_bytes = content.whole_bytes;
  LogReader reader(out);
  for (const Record& record : content.records) TRY(std::visit(reader, record));
  if (reader.is_answered()) {
    out.end = LogEnd::kAnswered;
  } else if (reader.is_sampled()) {
    out.end = LogEnd::kReplyBroken;
  } else if (ends_with(out.log, assistant_start)) {
    out.end = LogEnd::kAtReplyStart;
  }
  return out;
}

Result<std::vector<std::string>> find_sessions(const std::string& workspace) {
  TRY_ASSIGN(const std::string folder, sessions_folder());
  std::vector<std::string> ids;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string path = entry.path().string() + "/" + std::string(Transcript::kFileName);
    Result<SessionRecord> session = read_session_record(path);
    if (session && (workspace.empty() || session->workspace == workspace)) {
      ids.push_back(entry.path().filename().string());
    }
  }
  std::sort(ids.begin(), ids.end(), std::greater<>());
  return ids;
}

}  // namespace levin::agent
