// Every case of the table runs whole, at every split into two, and byte by byte; the results and
// the joined events must be the same each time and equal to the table.
#include "agent/reply_parser.h"

#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/debug_parse.h"
#include "base/utf8.h"

namespace levin::agent {
namespace {

using Json = nlohmann::ordered_json;

// One parse, flattened for comparison: the reply, then the events with neighbours joined.
struct Parsed {
  Reply reply;
  std::vector<ReplyEvent> events;

  std::string flat() const {
    std::ostringstream out;
    out << reply.reasoning << '\x01' << reply.content << '\x01' << reply.cut;
    for (const ToolCall& call : reply.calls) {
      out << "\x02" << call.name << '\x03' << call.arguments << '\x03' << call.cut;
    }
    for (const ReplyProblem& problem : reply.problems) {
      out << "\x04" << problem.offset << ' ' << problem.call_index << ' ' << problem.message;
    }
    for (const ReplyEvent& event : events) {
      out << "\x05" << static_cast<int>(event.kind) << event.text;
    }
    return out.str();
  }
};

void join(std::vector<ReplyEvent>& all, const std::vector<ReplyEvent>& more) {
  using Kind = ReplyEvent::Kind;
  for (const ReplyEvent& event : more) {
    const bool joins = event.kind == Kind::kReasoning || event.kind == Kind::kContent ||
                       event.kind == Kind::kCallArguments;
    if (joins && !all.empty() && all.back().kind == event.kind) {
      all.back().text += event.text;
    } else {
      all.push_back(event);
    }
  }
}

Parsed parse(const std::vector<std::string_view>& parts, bool reasoning_open = false) {
  ReplyParser parser(ReplyParser::Options{reasoning_open});
  Parsed run;
  for (const std::string_view part : parts) join(run.events, parser.push(part));
  join(run.events, parser.finish());
  run.reply = parser.reply();
  return run;
}

std::vector<std::string_view> chunks(std::string_view text, size_t size) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < text.size(); at += size) parts.push_back(text.substr(at, size));
  return parts;
}

void expect_same_for_all_splits(const std::string& text, bool reasoning_open) {
  const std::string whole = parse({text}, reasoning_open).flat();
  for (size_t at = 0; at <= text.size(); ++at) {
    const std::string_view view = text;
    const Parsed run = parse({view.substr(0, at), view.substr(at)}, reasoning_open);
    ASSERT_EQ(run.flat(), whole) << "split at " << at << " of: " << text;
  }
  ASSERT_EQ(parse(chunks(text, 1), reasoning_open).flat(), whole) << "byte by byte: " << text;
}

// What the events say must add up to what the reply holds.
void expect_events_match_reply(const Parsed& run) {
  using Kind = ReplyEvent::Kind;
  std::string reasoning, content;
  std::vector<ToolCall> calls;
  ToolCall open;
  for (const ReplyEvent& event : run.events) {
    if (event.kind == Kind::kReasoning) reasoning += event.text;
    if (event.kind == Kind::kContent) content += event.text;
    if (event.kind == Kind::kCallBegin) open = ToolCall{event.text, "", false};
    if (event.kind == Kind::kCallArguments) open.arguments += event.text;
    if (event.kind == Kind::kCallEnd) calls.push_back(open);
  }
  EXPECT_EQ(reasoning, run.reply.reasoning);
  EXPECT_EQ(content, run.reply.content);
  std::vector<ToolCall> complete;
  for (const ToolCall& call : run.reply.calls) {
    if (!call.cut) complete.push_back(call);
  }
  ASSERT_EQ(calls.size(), complete.size());
  for (size_t index = 0; index < calls.size(); ++index) {
    EXPECT_EQ(calls[index].name, complete[index].name);
    EXPECT_EQ(calls[index].arguments, complete[index].arguments);
  }
}

std::vector<Json> table() {
  std::vector<Json> cases;
  for (const char* name : {"text", "calls", "damaged"}) {
    const std::string path =
        std::string(LEVIN_SOURCE_DIR "/tests/scenarios/replies/") + name + ".json";
    std::ifstream file(path);
    EXPECT_TRUE(file) << path;
    for (const Json& entry : Json::parse(file)) cases.push_back(entry);
  }
  return cases;
}

Json describe(const Reply& reply) {
  Json out = Json::object();
  if (!reply.reasoning.empty()) out["reasoning"] = reply.reasoning;
  if (!reply.content.empty()) out["content"] = reply.content;
  for (const ToolCall& call : reply.calls) {
    Json entry{call.name, call.arguments};
    if (call.cut) entry.push_back("cut");
    out["calls"].push_back(entry);
  }
  for (const ReplyProblem& problem : reply.problems) {
    out["problems"].push_back({problem.offset, problem.call_index});
  }
  if (reply.cut) out["cut"] = true;
  return out;
}

TEST(ReplyParserTable, HoldsForEverySplit) {
  const std::vector<Json> cases = table();
  EXPECT_GE(cases.size(), 60U);
  for (const Json& entry : cases) {
    SCOPED_TRACE(entry.at("title").get<std::string>());
    const std::string text = entry.at("text");
    const bool reasoning_open = entry.value("reasoning_open", false);
    const Parsed run = parse({text}, reasoning_open);
    EXPECT_EQ(Json::diff(describe(run.reply), entry.at("expect")), Json::array())
        << "got " << describe(run.reply).dump();
    expect_events_match_reply(run);
    expect_same_for_all_splits(text, reasoning_open);
  }
}

TEST(ReplyParser, StreamsArgumentsOnceTheNameIsKnown) {
  ReplyParser parser;
  parser.push("<tool_calls>\n{\"name\": \"bash\", \"arguments\": ");
  const auto first = parser.push("{\"comm");
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].kind, ReplyEvent::Kind::kCallArguments);
  EXPECT_EQ(first[0].text, "{\"comm");
  const auto second = parser.push("and\": \"ls\"}}");
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[0].text, "and\": \"ls\"}");
  EXPECT_EQ(second[1].kind, ReplyEvent::Kind::kCallEnd);
}

TEST(ReplyParser, GivesProseOutAtOnceAndHoldsBackOnlyATag) {
  ReplyParser parser;
  const auto events = parser.push("Hello <b>x</b> <tool_c");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].text, "Hello <b>x</b> ");
  EXPECT_EQ(parser.finish().at(0).text, "<tool_c");
}

TEST(ReplyParser, ProblemSaysWhatWasExpectedAndWhere) {
  const Parsed run = parse({"<tool_calls>\n{\"name\" \"bash\"}\n</tool_calls>"});
  ASSERT_EQ(run.reply.problems.size(), 1U);
  EXPECT_EQ(run.reply.problems[0].message,
            "expected ':' after a key, found '\"' (byte 8 of the call)");
}

TEST(ReplyParser, RefusesEndlessNestingWithoutRecursion) {
  const std::string deep = "<tool_calls>{\"name\":\"a\",\"arguments\":" + std::string(200000, '[');
  const Parsed run = parse({deep});
  EXPECT_EQ(run.reply.problems.size(), 1U);
  EXPECT_TRUE(run.reply.calls.empty());
}

TEST(ReplyParser, LongHostileTextsTakeLinearTime) {
  for (const char* unit : {"<", "</tool_calls", "<think>", "<tool_calls>{\"", "\"</tool_calls> ",
                           "<tool_calls>x\"</tool_calls>"}) {
    std::string text = "<tool_calls>\nx";
    while (text.size() < 2000000) text += unit;
    parse(chunks(text, 7));
  }
}

// Pieces that meet each other in real and in hostile replies.
const char* const kPieces[] = {"<think>",
                               "</think>",
                               "<tool_calls>",
                               "</tool_calls>",
                               "\n",
                               "\r\n",
                               " ",
                               "prose <b> ",
                               "{\"name\": \"bash\", \"arguments\": {\"command\": \"ls\"}}",
                               "{\"arguments\": {}, \"name\": \"x\"}",
                               "{\"name\": \"r\", \"arguments\": \"{\\\"a\\\": 1}\"}",
                               "{\"name\": 5}",
                               "{\"name\": \"n\"",
                               "\"",
                               "\\",
                               "{",
                               "}",
                               "[",
                               "]",
                               ",",
                               ":",
                               "-1.5e3",
                               "null",
                               "\xC3\xA9",
                               "\xFF",
                               "<tool_cal",
                               "</tool_calls>\"}}",
                               "\\u00e9",
                               "\\ud83d\\ude00"};

TEST(ReplyParserFuzz, ChunkingNeverChangesTheResult) {
  std::mt19937 random(20261124);
  const auto below = [&](size_t bound) { return static_cast<size_t>(random()) % bound; };
  for (int round = 0; round < 3000; ++round) {
    std::string text = below(2) == 0 ? "" : "<tool_calls>\n";
    for (size_t count = below(14); count > 0; --count) text += kPieces[below(std::size(kPieces))];
    for (size_t count = below(4); count > 0 && !text.empty(); --count) {
      const size_t at = below(text.size());
      if (below(2) == 0) {
        text.erase(at, 1 + below(3));
      } else {
        text.insert(at, 1, static_cast<char>(random()));
      }
    }
    const bool open = below(4) == 0;
    const Parsed whole = parse({text}, open);
    expect_events_match_reply(whole);
    ASSERT_EQ(parse(chunks(text, 1), open).flat(), whole.flat()) << text;
    ASSERT_EQ(parse(chunks(text, 2 + below(5)), open).flat(), whole.flat()) << text;
    for (const ToolCall& call : whole.reply.calls) {
      if (!call.cut && utf8_is_valid(call.arguments)) {
        ASSERT_TRUE(Json::accept(call.arguments)) << call.arguments << " in " << text;
      }
    }
  }
}

TEST(JsonScanner, AgreesWithALibraryOnWhatIsAnObject) {
  std::mt19937 random(7);
  const std::string_view alphabet = "{}[]\",:0123.eE+-truefalsn\\u/ \n";
  const std::vector<std::string> seeds = {
      R"({"a": [1, -2.5e+3, true, null], "b": {"c": "\u00e9\n"}})",
      R"({"": 0, "x": [[], {}, "\"\\"]})", R"({"n": 10.0E-1})"};
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = seeds[random() % seeds.size()];
    for (unsigned count = random() % 4; count > 0; --count) {
      text[random() % text.size()] = alphabet[random() % alphabet.size()];
    }
    const Json value = Json::parse(text, nullptr, false);
    // The library refuses lone surrogates and numbers out of range; the scanner leaves both alone.
    if (text.find("\\u") != std::string::npos && value.is_discarded()) continue;
    if (value.is_discarded() && text.find_first_of("eE") != std::string::npos) continue;
    accepted += value.is_object() ? 1 : 0;
    ASSERT_EQ(is_json_object(text), value.is_object()) << text;
    if (value.is_string()) {
      ASSERT_EQ(unquote_json(text), value.get<std::string>());
    }
  }
  EXPECT_GT(accepted, 1000);
}

TEST(JsonScanner, UnquotesEveryEscape) {
  EXPECT_EQ(unquote_json(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00")"),
            "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(unquote_json(R"("\ud83dx\ude00\ud83d\u0041")"),
            "\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD"
            "A");
}

std::string debug(const std::string& input, size_t chunk) {
  std::istringstream in(input);
  std::ostringstream out;
  EXPECT_EQ(debug_parse(chunk, in, out), 0);
  return out.str();
}

TEST(DebugParse, PrintsOneObjectWhateverTheChunk) {
  const std::string input =
      "<think>\nhm\n</think>\nOk.<tool_calls>\n{\"name\": \"read\", \"arguments\": {\"n\":  1}}\n"
      "oops\n</tool_calls><end_of_sentence>\n";
  const std::string expected =
      R"({"reasoning":"\nhm\n","content":"\nOk.","tool_calls":[{"name":"read","arguments":)"
      R"("{\"n\":  1}"}],"finish_reason":"tool_calls","problems":[{"offset":77,"call_index":1,)"
      R"("message":"expected a JSON object, found other text"}]})"
      "\n";
  for (const size_t chunk : {0, 1, 3, 1000}) EXPECT_EQ(debug(input, chunk), expected);
}

TEST(DebugParse, CutCallHasNullArgumentsAndFinishesByLength) {
  const Json out = Json::parse(debug("<tool_calls>{\"name\": \"bash\", \"arguments\": {\"c", 1));
  EXPECT_EQ(out.at("finish_reason"), "length");
  EXPECT_EQ(out.at("tool_calls"), Json::parse(R"([{"name": "bash", "arguments": null}])"));
}

TEST(DebugParse, BrokenUtf8BecomesReplacementCharacters) {
  const Json out = Json::parse(debug("a\xFF\xC3", 0));
  EXPECT_EQ(out.at("content"), "a\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(Json::parse(debug("", 0)).at("finish_reason"), "stop");
}

}  // namespace
}  // namespace levin::agent
