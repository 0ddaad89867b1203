#include "agent/session_start.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>

#include "agent/paths.h"
#include "agent/request.h"
#include "base/file_io.h"

namespace levin::agent {
namespace {

using engine::TokenId;

Result<void> append(const SessionStart& start, const std::vector<TokenId>& ids) {
  if (ids.empty()) return {};
  TRY(start.client.append(ids));
  return start.transcript.append(TokensRecord{0, TokensRecord::Source::kPrefilled, ids});
}

void refuse_state(EventSink& events, const std::string& file, const std::string& reason) {
  events.on_event(StateRefused{file, reason});
  std::cerr << "state not used: " << reason << "\n";
}

Result<void> append_request(const SessionStart& start, const std::string& text) {
  TRY(start.transcript.append(MessageRecord{0, MessageRecord::Role::kUser, text}));
  return append(start, start.writer.user_turn(text));
}

Result<std::string> prefix_file(const SessionStart& start, const std::vector<TokenId>& prefix) {
  TRY_ASSIGN(const std::string folder, cache_folder());
  TRY(make_directories(folder + "/prefix"));
  const uint64_t hash = XXH3_64bits(prefix.data(), prefix.size() * sizeof(TokenId));
  return fmt::format("{}/prefix/{}-{:016x}.state", folder, start.state_key, hash);
}

// The state at the end of the last run and the marks before it; the log may have gone back since.
void load_stored(const SessionStart& start, EventSink& events) {
  const Result<void> loaded = start.client.load_state(start.state_file);
  // A script never has a state; a state of another precision or version is told like a damaged one.
  const bool is_script = start.state_key.empty();
  if (!loaded && !(is_script && loaded.error().code() == ErrorCode::kUnsupported)) {
    refuse_state(events, start.state_file, loaded.error().message());
  }
  if (!loaded) return;
  const std::string marks = start.state_file + std::string(kMarksSuffix);
  const Result<void> marked = start.client.load_marks(marks);
  if (!marked && marked.error().code() != ErrorCode::kNotFound) {
    refuse_state(events, marks, marked.error().message());
  }
}

// Puts the prefix into the (empty) log, with its stored state where there is one; else the state is
// computed and stored. Returns how many tokens need no prefill. A store that does not work costs
// only time.
Result<int64_t> open_prefix(const SessionStart& start, const std::vector<TokenId>& prefix,
                            EventSink& events) {
  const Result<std::string> file = start.state_key.empty()
                                       ? Result<std::string>(Error(ErrorCode::kUnsupported, ""))
                                       : prefix_file(start, prefix);
  if (file) {
    const Result<void> loaded = start.client.load_state(*file);
    if (loaded && start.client.token_log() == prefix) {
      std::error_code ignored;  // Its time tells when it was last of use.
      std::filesystem::last_write_time(*file, std::filesystem::file_time_type::clock::now(),
                                       ignored);
      return static_cast<int64_t>(prefix.size());
    }
    if (loaded || loaded.error().code() != ErrorCode::kNotFound) {
      refuse_state(events, *file,
                   loaded ? *file + ": holds other tokens" : loaded.error().message());
      TRY(start.client.rewind(0));
    }
  }
  TRY(start.client.append(prefix));
  if (file) {
    const Result<void> saved = start.client.save_state(*file);
    if (!saved) std::cerr << "levin: prefix not stored: " << saved.error().message() << "\n";
    if (saved) {
      trim_prefixes(std::filesystem::path(*file).parent_path().string(), *file, kPrefixBytesMax);
    }
  }
  return 0;
}

}  // namespace

void trim_prefixes(const std::string& folder, const std::string& kept, uint64_t bytes_max) {
  struct Stored {
    std::filesystem::file_time_type used;
    std::filesystem::path path;
    uint64_t bytes;
  };
  // What cannot be read or removed is another process's business: the store only saves time.
  std::vector<Stored> stored;
  uint64_t total = 0;
  std::error_code ignored;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    std::error_code failed;
    if (entry.path().stem().extension() == ".state") {  // NAME.state.XXXXXX: see AtomicFile.
      // What a killed process left half written. None takes an hour to write.
      if (entry.last_write_time(failed) < now - std::chrono::hours(1) && !failed) {
        std::filesystem::remove(entry.path(), ignored);
      }
      continue;
    }
    if (entry.path().extension() != ".state") continue;
    const Stored one{entry.last_write_time(failed), entry.path(), entry.file_size(failed)};
    if (failed) continue;
    total += one.bytes;
    if (one.path != kept) stored.push_back(one);
  }
  std::sort(stored.begin(), stored.end(),
            [](const Stored& a, const Stored& b) { return a.used < b.used; });
  for (size_t i = 0; i < stored.size() && total > bytes_max; ++i) {
    if (std::filesystem::remove(stored[i].path, ignored)) total -= stored[i].bytes;
  }
}

Result<int64_t> start_log(const SessionStart& start, const std::string& task, EventSink& events) {
  TRY_ASSIGN(const std::string text, first_user_text(start.profile, start.work_tree, task));
  const std::vector<TokenId> prefix =
      start.writer.prefix(start.profile.system_text, start.profile.tool_lines);
  TRY_ASSIGN(const int64_t reused, open_prefix(start, prefix, events));
  TRY(start.transcript.append(TokensRecord{0, TokensRecord::Source::kPrefilled, prefix}));
  TRY(append_request(start, text));
  return reused;
}

Result<int64_t> continue_log(const SessionStart& start, const Continuation& continuation,
                             const std::string& task, EventSink& events) {
  // Back before its first request, it begins like a new one.
  if (continuation.end == LogEnd::kEmpty) return start_log(start, task, events);
  load_stored(start, events);
  std::vector<TokenId> log = continuation.log;
  std::vector<TokenId> bridge;  // From the end of the log to a new turn.
  size_t length = log.size();
  const bool end_sampled = !log.empty() && log.back() == start.writer.end_of_sentence();
  if (continuation.end == LogEnd::kReplyBroken && task.empty()) {
    length = continuation.broken_from;
  } else if (continuation.end == LogEnd::kReplyBroken || continuation.end == LogEnd::kAnswered) {
    bridge = start.writer.assistant_end(end_sampled);
  } else if (continuation.end == LogEnd::kAtReplyStart && !task.empty()) {
    length -= start.writer.assistant_start().size();
  }
  if (length < log.size()) TRY(start.transcript.append(CutRecord{length}));
  log.resize(length);
  TRY(start.client.sync(log));
  const int64_t reused = start.client.num_computed();
  // So that an undo of what follows can come back here.
  if (!task.empty() && reused == static_cast<int64_t>(log.size())) TRY(start.client.mark());
  TRY(append(start, bridge));
  if (!task.empty()) TRY(append_request(start, task));
  return reused;
}

}  // namespace levin::agent
