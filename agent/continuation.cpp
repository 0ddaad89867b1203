#include "agent/continuation.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "agent/paths.h"
#include "agent/session_reader.h"

namespace levin::agent {
namespace {

using engine::TokenId;

bool ends_with(const std::vector<TokenId>& log, const std::vector<TokenId>& tail) {
  return log.size() >= tail.size() && std::equal(tail.rbegin(), tail.rend(), log.rbegin());
}

}  // namespace

Result<Continuation> read_continuation(const TranscriptContent& content,
                                       const std::vector<TokenId>& assistant_start) {
  SessionReader reader;
  TRY(reader.read(content.records));
  const Moment& now = reader.now();
  Continuation out;
  out.session = reader.session();
  out.log = reader.log();
  out.broken_from = now.broken_from;
  out.last_step = reader.last_step();
  out.step = now.step;
  out.replies_sampled = now.replies_sampled;
  out.whole_bytes = content.whole_bytes;
  if (out.log.empty()) {
    out.end = LogEnd::kEmpty;
  } else if (now.is_sampled) {
    out.end = now.is_completed ? LogEnd::kAnswered : LogEnd::kReplyBroken;
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
