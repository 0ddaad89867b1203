#include "agent/event.h"

#include <limits>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "agent/event_sink.h"

namespace levin::agent {
namespace {

std::string text(const Event& event) {
  return to_json(event).dump();
}

TEST(Event, EachTypeHasItsFixedForm) {
  EXPECT_EQ(text(ThreadStarted{"s1"}), R"({"type":"thread.started","id":"s1"})");
  EXPECT_EQ(text(TurnStarted{}), R"({"type":"turn.started"})");
  EXPECT_EQ(text(StepState{2, 500, 12, 40}),
            R"({"type":"state","step":2,"reused":500,"prefilled":12,"generated":40})");
  EXPECT_EQ(text(StateRefused{"a.state", "other model"}),
            R"({"type":"state.refused","file":"a.state","reason":"other model"})");
  EXPECT_EQ(text(ItemUpdated{1, Item{"i1", MessageItem{}}, "Hel"}),
            R"({"type":"item.updated","step":1,"item":{"id":"i1","type":"message","text":""},)"
            R"("delta":"Hel"})");
}

TEST(Event, ItemsHaveTheirFields) {
  const auto item = [](auto body) {
    return to_json(ItemCompleted{3, Item{"i", body}})["item"].dump();
  };
  EXPECT_EQ(item(ReasoningItem{"hm"}), R"({"id":"i","type":"reasoning","text":"hm"})");
  EXPECT_EQ(item(CommandItem{"ls", 1, "no", CommandItem::Status::kCompleted}),
            R"({"id":"i","type":"command","command":"ls","exit_code":1,"output":"no",)"
            R"("status":"completed"})");
  EXPECT_EQ(item(CommandItem{"ls", std::nullopt, "", CommandItem::Status::kTimeout}),
            R"({"id":"i","type":"command","command":"ls","exit_code":null,"output":"",)"
            R"("status":"timeout"})");
  EXPECT_EQ(item(FileChangeItem{"a.c", FileChangeItem::Kind::kAdd, "+x"}),
            R"({"id":"i","type":"file_change","path":"a.c","kind":"add","diff":"+x"})");
  EXPECT_EQ(item(ToolItem{"read", R"({"path": "a"})", "a: 0 lines", false}),
            R"({"id":"i","type":"tool","name":"read","arguments":"{\"path\": \"a\"}",)"
            R"("result":"a: 0 lines","failed":false})");
}

TEST(Event, RunEndsWithItsTotals) {
  Usage usage;
  usage.reused = 10;
  usage.prefilled = 5;
  usage.generated = 7;
  usage.steps = 2;
  usage.tool_calls = 3;
  usage.files_changed = 1;
  usage.wall_ms = 1234;
  usage.prefill_tokens_per_second = std::numeric_limits<double>::infinity();
  usage.tokens_per_second = 12.3456;
  usage.drafted = 8;
  usage.accepted = 6;
  const std::string figures =
      R"("usage":{"reused":10,"prefilled":5,"generated":7,"steps":2,"tool_calls":3,)"
      R"("files_changed":1,"wall_ms":1234,"prefill_tokens_per_second":0.0,)"
      R"("tokens_per_second":12.35,"drafted":8,"accepted":6}})";
  EXPECT_EQ(text(RunCompleted{usage}), R"({"type":"run.completed",)" + figures);
  EXPECT_EQ(text(RunFailed{"script_end", "", usage}),
            R"({"type":"run.failed","reason":"script_end",)" + figures);
  EXPECT_EQ(to_json(RunFailed{"limit", "20 steps", usage})["message"], "20 steps");
}

TEST(JsonSink, OneValidLineForEachEventWhateverTheBytes) {
  std::ostringstream out;
  JsonSink sink(out);
  sink.on_event(ThreadStarted{"s\n1"});
  sink.on_event(ItemCompleted{1, Item{"i", CommandItem{"c\xFF", 0, "\xC3(\x1b[31m\n\xE2\x82",
                                                       CommandItem::Status::kCompleted}}});
  std::istringstream lines(out.str());
  std::string line;
  std::vector<nlohmann::json> parsed;
  while (std::getline(lines, line)) parsed.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(parsed.size(), 2U);
  EXPECT_EQ(parsed[0]["id"], "s\n1");
  EXPECT_EQ(parsed[1]["item"]["command"], "c\xEF\xBF\xBD");
  EXPECT_EQ(parsed[1]["item"]["output"], "\xEF\xBF\xBD(\x1b[31m\n\xEF\xBF\xBD");
}

}  // namespace
}  // namespace levin::agent
