#include "agent/event.h"

#include <cmath>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace levin::agent {
namespace {

using Json = nlohmann::ordered_json;

const char* word(CommandItem::Status status) {
  switch (status) {
    case CommandItem::Status::kRunning:
      return "running";
    case CommandItem::Status::kCompleted:
      return "completed";
    case CommandItem::Status::kFailed:
      return "failed";
    case CommandItem::Status::kTimeout:
      return "timeout";
    case CommandItem::Status::kDenied:
      return "denied";
    case CommandItem::Status::kInterrupted:
      return "interrupted";
  }
  return "failed";
}

struct ItemBody {
  Json& out;

  void operator()(const MessageItem& item) const {
    out["type"] = "message";
    out["text"] = utf8_sanitize(item.text);
  }
  void operator()(const ReasoningItem& item) const {
    out["type"] = "reasoning";
    out["text"] = utf8_sanitize(item.text);
  }
  void operator()(const CommandItem& item) const {
    out["type"] = "command";
    out["command"] = utf8_sanitize(item.command);
    out["exit_code"] = nullptr;
    if (item.exit_code) out["exit_code"] = *item.exit_code;
    out["output"] = utf8_sanitize(item.output);
    out["status"] = word(item.status);
  }
  void operator()(const FileChangeItem& item) const {
    out["type"] = "file_change";
    out["path"] = utf8_sanitize(item.path);
    out["kind"] = item.kind == FileChangeItem::Kind::kAdd      ? "add"
                  : item.kind == FileChangeItem::Kind::kDelete ? "delete"
                                                               : "update";
    out["diff"] = utf8_sanitize(item.diff);
  }
  void operator()(const ToolItem& item) const {
    out["type"] = "tool";
    out["name"] = utf8_sanitize(item.name);
    out["arguments"] = utf8_sanitize(item.arguments);
    out["result"] = utf8_sanitize(item.result);
    out["failed"] = item.failed;
  }
  void operator()(const WebCheckItem& item) const {
    out["type"] = "web_check";
    out["spec"] = utf8_sanitize(item.spec);
    out["round"] = item.round;
    out["checks_passed"] = item.passed;
    out["checks_failed"] = item.failed;
    out["report"] = utf8_sanitize(item.report);
    Json files = Json::array();
    for (const std::string& file : item.screenshots) files.push_back(utf8_sanitize(file));
    out["screenshots"] = std::move(files);
  }
};

Json item_json(const Item& item) {
  Json out{{"id", utf8_sanitize(item.id)}};
  std::visit(ItemBody{out}, item.body);
  return out;
}

// Two decimals are enough for a rate. JSON has no infinity: a rate without a measured time is 0.
double rounded(double rate) {
  return std::isfinite(rate) ? std::round(rate * 100) / 100 : 0;
}

Json usage_json(const Usage& usage) {
  return Json{{"reused", usage.reused},
              {"prefilled", usage.prefilled},
              {"generated", usage.generated},
              {"steps", usage.steps},
              {"tool_calls", usage.tool_calls},
              {"files_changed", usage.files_changed},
              {"wall_ms", usage.wall_ms},
              {"prefill_tokens_per_second", rounded(usage.prefill_tokens_per_second)},
              {"tokens_per_second", rounded(usage.tokens_per_second)},
              {"drafted", usage.drafted},
              {"accepted", usage.accepted}};
}

struct EventBody {
  Json operator()(const ThreadStarted& event) const {
    return Json{{"type", "thread.started"}, {"id", utf8_sanitize(event.id)}};
  }
  Json operator()(const TurnStarted&) const { return Json{{"type", "turn.started"}}; }
  Json operator()(const ItemStarted& event) const {
    return Json{{"type", "item.started"}, {"step", event.step}, {"item", item_json(event.item)}};
  }
  Json operator()(const ItemUpdated& event) const {
    return Json{{"type", "item.updated"},
                {"step", event.step},
                {"item", item_json(event.item)},
                {"delta", utf8_sanitize(event.delta)}};
  }
  Json operator()(const ItemCompleted& event) const {
    return Json{{"type", "item.completed"}, {"step", event.step}, {"item", item_json(event.item)}};
  }
  Json operator()(const StepState& event) const {
    return Json{{"type", "state"},
                {"step", event.step},
                {"reused", event.reused},
                {"prefilled", event.prefilled},
                {"generated", event.generated}};
  }
  Json operator()(const StateRefused& event) const {
    return Json{{"type", "state.refused"},
                {"file", utf8_sanitize(event.file)},
                {"reason", utf8_sanitize(event.reason)}};
  }
  Json operator()(const Warning& event) const {
    return Json{
        {"type", "warning"}, {"step", event.step}, {"message", utf8_sanitize(event.message)}};
  }
  Json operator()(const Retried& event) const {
    return Json{{"type", "retry"},
                {"attempt", event.attempt},
                {"attempts", event.attempts},
                {"reason", utf8_sanitize(event.reason)},
                {"temperature", event.temperature}};
  }
  Json operator()(const RunCompleted& event) const {
    return Json{{"type", "run.completed"}, {"usage", usage_json(event.usage)}};
  }
  Json operator()(const RunFailed& event) const {
    Json out{{"type", "run.failed"}, {"reason", utf8_sanitize(event.reason)}};
    if (!event.message.empty()) out["message"] = utf8_sanitize(event.message);
    out["usage"] = usage_json(event.usage);
    return out;
  }
};

}  // namespace

Json to_json(const Event& event) {
  return std::visit(EventBody{}, event);
}

}  // namespace levin::agent
