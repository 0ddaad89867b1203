// The token log at the start of a run: the stored prefix, a stored session, or neither; then the
// request. Nothing that has a usable state on disk is prefilled again.
#pragma once

#include <string>
#include <string_view>

#include "agent/continuation.h"
#include "agent/event_sink.h"
#include "agent/model_client.h"
#include "agent/profile.h"
#include "agent/transcript.h"
#include "engine/chat_template.h"

namespace levin::agent {

constexpr const char* kStateFile = "state.bin";      // In a session's folder.
constexpr std::string_view kMarksSuffix = ".marks";  // Beside a state: places to go back to.
inline constexpr uint64_t kPrefixBytesMax = uint64_t{4} << 30;  // Of the store of prefixes.

struct SessionStart {
  ModelClient& client;
  const engine::PromptWriter& writer;
  Transcript& transcript;
  const Profile& profile;
  std::string state_key;   // Names the model in the store of prefixes; empty: nothing is stored.
  std::string state_file;  // Of this session.
  std::string work_tree;
};

// Removes the least recently used states of `folder` until what is left has at most `bytes_max`
// bytes; `kept` stays in any case. What killed processes left half written goes, too.
void trim_prefixes(const std::string& folder, const std::string& kept, uint64_t bytes_max);

// A new session: prefix (its state is stored once per model and text) and the request. Returns how
// many tokens need no prefill. Errors: those of the client and the transcript.
Result<int64_t> start_log(const SessionStart& start, const std::string& task, EventSink& events);

// A session that goes on, with a further request unless `task` is empty. A state file that cannot
// be used is told by the event state.refused and on stderr; its tokens are then prefilled. Errors:
// as start_log().
Result<int64_t> continue_log(const SessionStart& start, const Continuation& continuation,
                             const std::string& task, EventSink& events);

}  // namespace levin::agent
