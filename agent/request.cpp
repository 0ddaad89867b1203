#include "agent/request.h"

#include <algorithm>
#include <istream>
#include <iterator>

#include "base/file_io.h"
#include "base/utf8.h"

namespace levin::agent {
namespace {

constexpr size_t kRequestBytesMax = 4 << 20;
constexpr size_t kAgentsBytesMax = 16 << 10;

// AGENTS.md of the workspace, as a paragraph of its own; empty when there is none.
std::string agents_text(const std::string& workspace) {
  Result<std::string> text = read_file(workspace + "/AGENTS.md", kRequestBytesMax);
  if (!text || text->empty()) return "";
  size_t end = std::min(text->size(), kAgentsBytesMax);
  // Not inside a character: its later bytes are 10xxxxxx.
  while (end > 0 && end < text->size() && ((*text)[end] & 0xC0) == 0x80) --end;
  std::string cut = utf8_sanitize(std::string_view(*text).substr(0, end));
  if (text->size() > kAgentsBytesMax) cut += "\n[AGENTS.md goes on; read it for the rest]";
  return "Instructions of this repository (AGENTS.md):\n" + cut + "\n\n";
}

}  // namespace

Result<std::string> request_text(const std::string& task, std::istream& input) {
  std::string text = task;
  if (task == "-")
    text.assign(std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Error(ErrorCode::kInvalidArgument, "the task is empty; expected what to do, in words");
  }
  if (text.size() > kRequestBytesMax) {
    return Error(ErrorCode::kInvalidArgument, "the task is longer than 4 MiB");
  }
  if (!utf8_is_valid(text)) {
    return Error(ErrorCode::kInvalidArgument, "the task is not UTF-8 text, from byte " +
                                                  std::to_string(utf8_valid_prefix(text)) + " on");
  }
  return text;
}

Result<std::string> fill_template(const std::string& text,
                                  const std::map<std::string, std::string>& values) {
  std::string out;
  for (size_t position = 0;;) {
    const size_t open = text.find("{{", position);
    out += text.substr(position, open - position);
    if (open == std::string::npos) return out;
    const size_t close = text.find("}}", open);
    const std::string name = close == std::string::npos ? text.substr(open + 2)
                                                        : text.substr(open + 2, close - open - 2);
    const auto value = values.find(name);
    if (close == std::string::npos || value == values.end()) {
      return Error(ErrorCode::kCorrupt, "prompt template: undefined variable '" + name + "'");
    }
    out += value->second;
    position = close + 2;
  }
}

Result<std::string> first_user_text(const Profile& profile, const std::string& workspace,
                                    const std::string& task) {
  if (profile.first_user.empty()) return task;
  return fill_template(profile.first_user,
                       {{"workspace", workspace.substr(workspace.rfind('/') + 1)},
                        {"agents", agents_text(workspace)},
                        {"task", task}});
}

}  // namespace levin::agent
