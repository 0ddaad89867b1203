#include "agent/session_list.h"

#include <algorithm>
#include <filesystem>

#include "agent/paths.h"

namespace levin::agent {

Result<std::vector<std::string>> session_ids() {
  TRY_ASSIGN(const std::string folder, sessions_folder());
  std::vector<std::string> ids;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string transcript =
        entry->path().string() + "/" + std::string(Transcript::kFileName);
    std::error_code ignored;
    if (std::filesystem::exists(transcript, ignored)) {
      ids.push_back(entry->path().filename().string());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return Error(ErrorCode::kIo, "cannot list " + folder + ": " + error.message());
  }
  std::sort(ids.rbegin(), ids.rend());
  return ids;
}

Result<TranscriptContent> read_session(const std::string& id) {
  TRY_ASSIGN(const std::string folder, session_folder(id));
  Result<TranscriptContent> content =
      read_transcript(folder + "/" + std::string(Transcript::kFileName));
  if (content && content->records.empty()) {
    return Error(ErrorCode::kCorrupt, "the transcript of session " + id + " is empty");
  }
  if (!content && content.error().code() == ErrorCode::kNotFound) {
    return Error(ErrorCode::kInvalidArgument,
                 "there is no session " + id + "; levin sessions lists them");
  }
  return content;
}

const SessionRecord& header_of(const TranscriptContent& content) {
  return std::get<SessionRecord>(content.records.front());
}

Result<std::string> newest_session(const std::string& work_tree) {
  TRY_ASSIGN(const std::vector<std::string> ids, session_ids());
  for (const std::string& id : ids) {
    const Result<TranscriptContent> content = read_session(id);
    if (content && header_of(*content).workspace == work_tree) return id;
  }
  return Error(ErrorCode::kInvalidArgument, "there is no session of " + work_tree);
}

}  // namespace levin::agent
