#include "agent/script_file.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace levin::agent {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kEndMarker = "<end_of_sentence>";
constexpr int kPaceMsMax = 60000;

// An excerpt of a value for an error message.
std::string found(std::string_view text) {
  constexpr size_t kExcerptBytesMax = 60;
  const bool cut = text.size() > kExcerptBytesMax;
  return utf8_sanitize(text.substr(0, kExcerptBytesMax)) + (cut ? "..." : "");
}

std::string found(const Json& value) {
  return found(std::string_view(value.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

Error wrong(const std::string& expected, const std::string& what) {
  return Error(ErrorCode::kInvalidArgument, "expected " + expected + ", found " + what);
}

Result<void> read_field(const std::string& key, const Json& value, ScriptReply& reply) {
  if (key == "text") {
    if (!value.is_string()) return wrong("a string as \"text\"", found(value));
    reply.text = value.get<std::string>();
  } else if (key == "pace_ms") {
    const bool fits = value.is_number_unsigned() && value.get<uint64_t>() <= kPaceMsMax;
    if (!fits) return wrong("0 to 60000 as \"pace_ms\"", found(value));
    reply.pace_ms = value.get<int>();
  } else if (key == "finish") {
    if (value != "stop" && value != "length") {
      return wrong("\"stop\" or \"length\" as \"finish\"", found(value));
    }
    reply.cut = value == "length";
  } else {
    return wrong("the keys text, pace_ms and finish", "\"" + found(std::string_view(key)) + "\"");
  }
  return {};
}

Result<ScriptReply> parse_line(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return wrong("a JSON object like {\"text\": \"...\"}", found(line));
  ScriptReply reply;
  for (const auto& [key, value] : json.items()) TRY(read_field(key, value, reply));
  if (!json.contains("text")) return wrong("a \"text\"", found(line));
  if (reply.text.ends_with(kEndMarker)) {
    if (reply.cut) return wrong("no end marker in a reply that is cut", std::string(kEndMarker));
    reply.text.resize(reply.text.size() - kEndMarker.size());
  }
  return reply;
}

}  // namespace

Result<std::vector<ScriptReply>> parse_script(std::string_view content, const std::string& name) {
  std::vector<ScriptReply> replies;
  for (size_t number = 1; !content.empty(); ++number) {
    const size_t end = std::min(content.find('\n'), content.size());
    const std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Result<ScriptReply> reply = parse_line(line);
    if (!reply) {
      return std::move(reply).error().context("script " + name + " line " + std::to_string(number));
    }
    replies.push_back(*std::move(reply));
  }
  return replies;
}

}  // namespace levin::agent
