// levin sessions: one line each, id first.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/commands.h"
#include "agent/continuation.h"
#include "agent/git_workspace.h"
#include "agent/paths.h"

namespace levin::agent {
namespace {

struct Line {
  std::string id;
  std::string workspace;
  std::string model;
  std::string request;  // The first one.
  std::string status;   // done, a reason, or "open"
  int steps = 0;
};

Result<Line> describe(const std::string& id) {
  TRY_ASSIGN(const std::string folder, session_folder(id));
  TRY_ASSIGN(const TranscriptContent content,
             read_transcript(folder + "/" + std::string(Transcript::kFileName)));
  Line line;
  line.id = id;
  line.status = "open";
  for (const Record& record : content.records) {
    if (const auto* session = std::get_if<SessionRecord>(&record)) {
      line.workspace = session->workspace;
      line.model = session->model;
    } else if (const auto* message = std::get_if<MessageRecord>(&record)) {
      const bool is_request = message->role == MessageRecord::Role::kUser;
      if (is_request) line.status = "open";
      if (is_request && line.request.empty()) line.request = message->text;
    } else if (const auto* state = std::get_if<StateRecord>(&record)) {
      line.steps = std::max(line.steps, state->step);
    } else if (const auto* end = std::get_if<EndRecord>(&record)) {
      line.status = end->completed ? "done" : end->reason;
    }
  }
  return line;
}

std::string one_line(const std::string& text) {
  constexpr size_t kBytesMax = 60;
  std::string line = text.substr(0, text.find('\n'));
  if (line.size() > kBytesMax) line = line.substr(0, kBytesMax) + "...";
  return line;
}

Result<std::vector<Line>> collect(bool everywhere) {
  std::string workspace;
  if (!everywhere) {
    TRY_ASSIGN(workspace, find_work_tree(std::filesystem::current_path().string()));
  }
  TRY_ASSIGN(const std::vector<std::string> ids, find_sessions(workspace));
  std::vector<Line> lines;
  for (const std::string& id : ids) {
    Result<Line> line = describe(id);
    if (line) {
      lines.push_back(*std::move(line));
    } else {
      lines.push_back(Line{id, workspace, "", "", "unreadable: " + line.error().message(), 0});
    }
  }
  return lines;
}

}  // namespace

int command_sessions(bool everywhere, bool json) {
  const Result<std::vector<Line>> lines = collect(everywhere);
  if (!lines) {
    std::cerr << "levin sessions: " << lines.error().message() << std::endl;
    return 2;
  }
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Line& line : *lines) {
    array.push_back({{"id", line.id},
                     {"status", line.status},
                     {"steps", line.steps},
                     {"workspace", line.workspace},
                     {"model", line.model},
                     {"request", line.request}});
    if (json) continue;
    std::cout << line.id << "  " << line.status << "  " << line.steps << " steps  "
              << one_line(line.request) << "\n";
  }
  if (json) {
    std::cout << array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  }
  return 0;
}

}  // namespace levin::agent
