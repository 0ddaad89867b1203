// Records of a transcript <-> JSON.
#include <array>
#include <utility>

#include "agent/transcript.h"
#include "base/utf8.h"

namespace levin::agent {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<MessageRecord::Role, const char*>, 3> kRoles{{
    {MessageRecord::Role::kUser, "user"},
    {MessageRecord::Role::kAssistant, "assistant"},
    {MessageRecord::Role::kReasoning, "reasoning"},
}};

struct ToJson {
  Json operator()(const SessionRecord& record) const {
    return Json{{"type", "session"},
                {"format", 1},
                {"id", utf8_sanitize(record.id)},
                {"version", utf8_sanitize(record.version)},
                {"workspace", utf8_sanitize(record.workspace)},
                {"model", utf8_sanitize(record.model)},
                {"fingerprint", utf8_sanitize(record.fingerprint)},
                {"options", record.options}};
  }
  Json operator()(const TokensRecord& record) const {
    const bool sampled = record.source == TokensRecord::Source::kSampled;
    return Json{{"type", "tokens"},
                {"step", record.step},
                {"source", sampled ? "sampled" : "prefilled"},
                {"ids", record.ids}};
  }
  Json operator()(const MessageRecord& record) const {
    const char* role = "user";
    for (const auto& [known, name] : kRoles) {
      if (known == record.role) role = name;
    }
    return Json{{"type", "message"},
                {"step", record.step},
                {"role", role},
                {"text", utf8_sanitize(record.text)}};
  }
  Json operator()(const CallRecord& record) const {
    return Json{{"type", "call"},
                {"step", record.step},
                {"index", record.index},
                {"name", utf8_sanitize(record.name)},
                {"arguments", utf8_sanitize(record.arguments)},
                {"cut", record.cut}};
  }
  Json operator()(const ResultRecord& record) const {
    return Json{{"type", "result"},
                {"step", record.step},
                {"index", record.index},
                {"name", utf8_sanitize(record.name)},
                {"text", utf8_sanitize(record.text)},
                {"failed", record.failed}};
  }
  Json operator()(const StateRecord& record) const {
    return Json{{"type", "state"},
                {"step", record.step},
                {"reused", record.reused},
                {"prefilled", record.prefilled},
                {"generated", record.generated}};
  }
  Json operator()(const CutRecord& record) const {
    return Json{{"type", "cut"}, {"length", record.length}};
  }
  Json operator()(const CheckpointRecord& record) const {
    return Json{{"type", "checkpoint"},
                {"step", record.step},
                {"name", utf8_sanitize(record.name)},
                {"commit", utf8_sanitize(record.commit)}};
  }
  Json operator()(const RewindRecord& record) const {
    Json json{{"type", "rewind"},
              {"name", utf8_sanitize(record.name)},
              {"commit", utf8_sanitize(record.commit)},
              {"done", record.done}};
    if (record.length) json["length"] = *record.length;
    return json;
  }
  Json operator()(const RetryRecord& record) const {
    return Json{{"type", "retry"},
                {"attempt", record.attempt},
                {"attempts", record.attempts},
                {"reason", utf8_sanitize(record.reason)},
                {"temperature", record.temperature}};
  }
  Json operator()(const EndRecord& record) const {
    return Json{{"type", "end"},
                {"completed", record.completed},
                {"reason", utf8_sanitize(record.reason)},
                {"exit_code", record.exit_code}};
  }
};

Error corrupt(std::string message) {
  return Error(ErrorCode::kCorrupt, std::move(message));
}

// Reads the fields of one object and keeps the first thing that was wrong.
class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {}

  std::string text(const char* key) {
    const Json* value = find(key, &Json::is_string, "a string");
    return value == nullptr ? "" : value->get<std::string>();
  }
  template <typename Integer>
  Integer integer(const char* key) {
    const Json* value = find(key, &Json::is_number_integer, "an integer");
    if (value == nullptr) return 0;
    const auto wide = value->get<int64_t>();
    if (!std::in_range<Integer>(wide)) wrong_ = std::string(key) + ": the number is out of range";
    return static_cast<Integer>(wide);
  }
  double number(const char* key) {
    const Json* value = find(key, &Json::is_number, "a number");
    return value == nullptr ? 0 : value->get<double>();
  }
  bool has(const char* key) const { return json_.contains(key); }
  bool flag(const char* key) {
    const Json* value = find(key, &Json::is_boolean, "true or false");
    return value != nullptr && value->get<bool>();
  }
  std::vector<engine::TokenId> ids(const char* key) {
    std::vector<engine::TokenId> out;
    const Json* value = find(key, &Json::is_array, "a list of token ids");
    if (value == nullptr) return out;
    out.reserve(value->size());
    for (const Json& id : *value) {
      if (!id.is_number_integer() || !std::in_range<engine::TokenId>(id.get<int64_t>())) {
        wrong_ = std::string(key) + ": expected token ids, found " + id.dump();
        break;
      }
      out.push_back(id.get<engine::TokenId>());
    }
    return out;
  }
  Json object(const char* key) {
    const Json* value = find(key, &Json::is_object, "an object");
    return value == nullptr ? Json::object() : *value;
  }

  Result<Record> done(Record record) const {
    if (!wrong_.empty()) return corrupt(wrong_);
    return record;
  }

 private:
  const Json* find(const char* key, bool (Json::*is_kind)() const noexcept, const char* kind) {
    const auto found = json_.find(key);
    if (found != json_.end() && ((*found).*is_kind)()) return &*found;
    wrong_ = std::string(key) + ": expected " + kind +
             (found == json_.end() ? ", found none" : ", found another kind of value");
    return nullptr;
  }

  const Json& json_;
  std::string wrong_;
};

Result<Record> read_session(Fields& fields) {
  const int format = fields.integer<int>("format");
  SessionRecord record;
  record.id = fields.text("id");
  record.version = fields.text("version");
  record.workspace = fields.text("workspace");
  record.model = fields.text("model");
  record.fingerprint = fields.text("fingerprint");
  record.options = fields.object("options");
  if (format != 1) {
    return corrupt("format: expected 1, found " + std::to_string(format));
  }
  return fields.done(std::move(record));
}

Result<Record> read_tokens(Fields& fields) {
  TokensRecord record;
  record.step = fields.integer<int>("step");
  const std::string source = fields.text("source");
  if (source != "sampled" && source != "prefilled") {
    return corrupt("source: expected prefilled or sampled, found \"" + source + "\"");
  }
  if (source == "sampled") record.source = TokensRecord::Source::kSampled;
  record.ids = fields.ids("ids");
  return fields.done(std::move(record));
}

Result<Record> read_message(Fields& fields) {
  MessageRecord record;
  record.step = fields.integer<int>("step");
  const std::string role = fields.text("role");
  bool known_role = false;
  for (const auto& [known, name] : kRoles) {
    if (role != name) continue;
    record.role = known;
    known_role = true;
  }
  record.text = fields.text("text");
  if (!known_role) {
    return corrupt("role: expected user, assistant or reasoning, found \"" + role + "\"");
  }
  return fields.done(std::move(record));
}

}  // namespace

Json to_json(const Record& record) {
  return std::visit(ToJson{}, record);
}

Result<Record> record_from_json(const Json& json) {
  if (!json.is_object()) return corrupt("expected a JSON object");
  Fields fields(json);
  const std::string type = fields.text("type");
  if (type == "session") return read_session(fields);
  if (type == "tokens") return read_tokens(fields);
  if (type == "message") return read_message(fields);
  if (type == "call") {
    return fields.done(CallRecord{fields.integer<int>("step"), fields.integer<int>("index"),
                                  fields.text("name"), fields.text("arguments"),
                                  fields.flag("cut")});
  }
  if (type == "result") {
    return fields.done(ResultRecord{fields.integer<int>("step"), fields.integer<int>("index"),
                                    fields.text("name"), fields.text("text"),
                                    fields.flag("failed")});
  }
  if (type == "state") {
    return fields.done(StateRecord{fields.integer<int>("step"), fields.integer<int64_t>("reused"),
                                   fields.integer<int64_t>("prefilled"),
                                   fields.integer<int64_t>("generated")});
  }
  if (type == "cut") return fields.done(CutRecord{fields.integer<size_t>("length")});
  if (type == "checkpoint") {
    return fields.done(
        CheckpointRecord{fields.integer<int>("step"), fields.text("name"), fields.text("commit")});
  }
  if (type == "rewind") {
    RewindRecord record{fields.text("name"), fields.text("commit"), fields.flag("done")};
    if (fields.has("length")) record.length = fields.integer<size_t>("length");
    return fields.done(std::move(record));
  }
  if (type == "retry") {
    return fields.done(RetryRecord{fields.integer<int>("attempt"), fields.integer<int>("attempts"),
                                   fields.text("reason"), fields.number("temperature")});
  }
  if (type == "end") {
    return fields.done(EndRecord{fields.flag("completed"), fields.text("reason"),
                                 fields.integer<int>("exit_code")});
  }
  return corrupt(
      "type: expected session, tokens, message, call, result, state, cut, checkpoint, rewind, "
      "retry or end, "
      "found \"" +
      type + "\"");
}

}  // namespace levin::agent
