// levin sessions: one line for each, newest first, or a JSON array.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/commands.h"
#include "agent/session_list.h"
#include "agent/terminal_filter.h"
#include "base/utf8.h"

namespace levin::agent {
namespace {

constexpr size_t kRequestBytesShown = 72;

struct SessionLine {
  std::string id;
  std::string status = "open";  // No run of it has ended.
  std::string workspace;
  std::string model;
  std::string request;                   // The last one.
  std::vector<std::string> checkpoints;  // Names.
};

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.size() > kRequestBytesShown) {
    line.resize(utf8_valid_prefix(line.substr(0, kRequestBytesShown)));
    line += "...";
  }
  return line;
}

SessionLine line_of(const std::string& id) {
  SessionLine line;
  line.id = id;
  const Result<TranscriptContent> content = read_session(id);
  if (!content) {
    line.status = "unreadable";
    line.request = content.error().message();
    return line;
  }
  line.workspace = header_of(*content).workspace;
  line.model = header_of(*content).model;
  for (const Record& record : content->records) {
    if (const auto* end = std::get_if<EndRecord>(&record)) {
      line.status = end->completed ? "done" : end->reason;
    } else if (const auto* message = std::get_if<MessageRecord>(&record)) {
      if (message->role == MessageRecord::Role::kUser) line.request = message->text;
    } else if (const auto* checkpoint = std::get_if<CheckpointRecord>(&record)) {
      line.checkpoints.push_back(checkpoint->name);
    }
  }
  return line;
}

}  // namespace

int command_sessions(bool json) {
  const Result<std::vector<std::string>> ids = session_ids();
  if (!ids) {
    std::cerr << "levin sessions: " << ids.error().message() << std::endl;
    return ids.error().code() == ErrorCode::kIo ? 1 : 2;
  }
  auto array = nlohmann::ordered_json::array();
  for (const std::string& id : *ids) {
    const SessionLine line = line_of(id);
    if (!json) {
      std::cout << fmt::format("{}  {}  {}  {}\n", line.id, line.status, printable(line.workspace),
                               printable(first_line(line.request)));
      continue;
    }
    array.push_back({{"id", line.id},
                     {"status", line.status},
                     {"workspace", utf8_sanitize(line.workspace)},
                     {"model", utf8_sanitize(line.model)},
                     {"request", utf8_sanitize(line.request)},
                     {"checkpoints", line.checkpoints}});
  }
  if (json) std::cout << array.dump() << "\n";
  std::cout << std::flush;
  return 0;
}

}  // namespace levin::agent
