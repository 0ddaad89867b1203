// The sessions on this machine, read from their transcripts.
#pragma once

#include <string>
#include <vector>

#include "agent/transcript.h"

namespace levin::agent {

// All sessions, newest first; empty when there are none. Errors: kIo and those of
// sessions_folder().
Result<std::vector<std::string>> session_ids();

// Its transcript. Errors: kInvalidArgument when there is no such session, in words for the user;
// those of read_transcript().
Result<TranscriptContent> read_session(const std::string& id);

const SessionRecord& header_of(const TranscriptContent& content);

// The newest session of a work tree. Errors: kInvalidArgument when there is none.
Result<std::string> newest_session(const std::string& work_tree);

}  // namespace levin::agent
