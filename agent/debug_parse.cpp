#include "agent/debug_parse.h"

#include <algorithm>
#include <istream>
#include <iterator>
#include <ostream>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/reply_parser.h"
#include "base/utf8.h"

namespace levin::agent {
namespace {

using Json = nlohmann::ordered_json;

std::string_view without_end_marker(std::string_view text) {
  constexpr std::string_view kEnd = "<end_of_sentence>";
  std::string_view body = text;
  if (body.ends_with('\n')) body.remove_suffix(1);
  if (!body.ends_with(kEnd)) body = text;
  if (body.ends_with(kEnd)) body.remove_suffix(kEnd.size());
  return body;
}

Json describe(const Reply& reply) {
  Json calls = Json::array();
  for (const ToolCall& call : reply.calls) {
    Json entry{{"name", utf8_sanitize(call.name)}, {"arguments", nullptr}};
    if (!call.cut) entry["arguments"] = utf8_sanitize(call.arguments);
    calls.push_back(std::move(entry));
  }
  Json problems = Json::array();
  for (const ReplyProblem& problem : reply.problems) {
    problems.push_back({{"offset", problem.offset},
                        {"call_index", problem.call_index},
                        {"message", utf8_sanitize(problem.message)}});
  }
  const char* finish = reply.cut ? "length" : reply.calls.empty() ? "stop" : "tool_calls";
  return Json{{"reasoning", utf8_sanitize(reply.reasoning)},
              {"content", utf8_sanitize(reply.content)},
              {"tool_calls", std::move(calls)},
              {"finish_reason", finish},
              {"problems", std::move(problems)}};
}

}  // namespace

int debug_parse(size_t chunk_bytes, std::istream& in, std::ostream& out) {
  const std::string input{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::string_view rest = without_end_marker(input);
  ReplyParser parser;
  const size_t step = chunk_bytes == 0 ? std::max<size_t>(rest.size(), 1) : chunk_bytes;
  while (!rest.empty()) {
    parser.push(rest.substr(0, step));
    rest.remove_prefix(std::min(step, rest.size()));
  }
  parser.finish();
  out << describe(parser.reply()).dump() << '\n' << std::flush;
  return out ? 0 : 1;
}

}  // namespace levin::agent
