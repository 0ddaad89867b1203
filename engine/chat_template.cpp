#include "engine/chat_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "engine/chat_template_text.h"
#include "engine/json_text.h"

namespace levin::engine {
namespace {

using Json = nlohmann::ordered_json;

// What the vLLM template says differently.
constexpr std::string_view kVllmSystemHead = "system ai_setting=MiniMax AI\n";
constexpr std::string_view kVllmAssistantHead = "ai name=MiniMax AI\n";
constexpr std::string_view kVllmDefaultSystem =
    "You are a helpful assistant created by Minimax based on MiniMax-M1 model.";
constexpr std::string_view kVllmToolsTail =
    "</tools>\n\nIf you need to call tools, please respond with <tool_calls></tool_calls> XML "
    "tags, "
    "and provide tool-name and json-object of arguments, following the format "
    "below:\n<tool_calls>\n"
    "{\"name\": <tool-name>, \"arguments\": <args-json-object>}\n...\n</tool_calls>";

Error wrong(std::string_view where, std::string_view expected) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{}: expected {}", where, expected));
}

// The member `key`, or null when it is absent or `object` is no object.
const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

bool has_type_text(const Json& part) {
  return member(part, "type") == "text";
}

Result<std::string> text_of(const Json& part, const char* key, std::string_view where) {
  const Json& text = member(part, key);
  if (text.is_string()) return text.get<std::string>();
  return wrong(where, fmt::format("a content part with a string \"{}\"", key));
}

std::string turn(std::string_view head, std::string_view body) {
  return fmt::format("{}{}{}{}\n", kBeginningOfSentence, head, body, kEndOfSentence);
}

Result<std::string> tools_turn(const Json& tools, std::string_view tail) {
  if (!tools.is_array()) return wrong("tools", "a list or null");
  std::string lines;
  for (const Json& tool : tools) {
    TRY_ASSIGN(const std::string line, json_text(tool));
    lines += line + "\n";
  }
  return turn(kToolsHead, lines + std::string(tail));
}

// Removes blanks as Python's str.strip() does (Unicode's, and the four separators U+001C to
// U+001F).
std::string_view strip(std::string_view text) {
  static constexpr std::string_view kBlanks[] = {
      "\t",           "\n",           "\v",           "\f",           "\r",
      "\x1C",         "\x1D",         "\x1E",         "\x1F",         " ",
      "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
      "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
      "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
      "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
  const auto trim_once = [&text](std::string_view blank) {
    if (text.starts_with(blank)) {
      text.remove_prefix(blank.size());
    } else if (text.ends_with(blank)) {
      text.remove_suffix(blank.size());
    } else {
      return false;
    }
    return true;
  };
  while (std::any_of(std::begin(kBlanks), std::end(kBlanks), trim_once)) {
  }
  return text;
}

// The published template of the model (plain strings as content only where `strings_allowed`).
class ShippedTemplate {
 public:
  explicit ShippedTemplate(bool strings_allowed) : strings_allowed_(strings_allowed) {}

  Result<std::string> render(const Json& messages, const Json& tools) const {
    std::string system;
    std::string turns;
    for (size_t index = 0; index < messages.size(); ++index) {
      const std::string where = fmt::format("messages[{}]", index);
      const Json& message = messages[index];
      const Json& role = member(message, "role");
      // All system messages, wherever they stand, make up one turn at the front.
      if (role == "system") {
        TRY_ASSIGN(const std::string text, first_text(message, where));
        system += text;
      } else {
        TRY_ASSIGN(const std::string rendered, render_turn(role, message, where));
        turns += rendered;
      }
    }
    std::string out;
    if (!system.empty()) out += turn(kSystemHead, system);
    if (!tools.empty()) {
      TRY_ASSIGN(const std::string rendered, tools_turn(tools, kToolsTail));
      out += rendered;
    }
    return out + turns;
  }

 private:
  Result<std::string> render_turn(const Json& role, const Json& message,
                                  const std::string& where) const {
    if (role == "user") {
      TRY_ASSIGN(const std::string text, first_text(message, where));
      return turn(kUserHead, text);
    }
    if (role == "assistant") {
      TRY_ASSIGN(const std::string text, all_text(message, where));
      return turn(kAssistantHead, text);
    }
    if (role == "tool") {
      TRY_ASSIGN(const std::string text, tool_results(message, where));
      return turn(kToolHead, text);
    }
    return std::string();  // Messages of any other role are left out.
  }

  Result<std::string> first_text(const Json& message, const std::string& where) const {
    const Json& content = member(message, "content");
    if (content.is_string() && strings_allowed_) return content.get<std::string>();
    if (content.is_array() && !content.empty()) {
      return text_of(content[0], "text", where + ".content[0]");
    }
    return wrong(where + ".content", strings_allowed_ ? "a string, or a list with a text part"
                                                      : "a list that begins with a text part");
  }

  Result<std::string> all_text(const Json& message, const std::string& where) const {
    const Json& content = member(message, "content");
    // The template walks over the characters of a string and finds no text part among them.
    if (content.is_string()) return strings_allowed_ ? content.get<std::string>() : std::string();
    if (!content.is_array()) return wrong(where + ".content", "a list of parts");
    std::string text;
    for (const Json& part : content) {
      if (!has_type_text(part)) continue;
      TRY_ASSIGN(const std::string one, text_of(part, "text", where + ".content"));
      text += one;
    }
    return text;
  }

  static Result<std::string> tool_results(const Json& message, const std::string& where) {
    const Json& content = member(message, "content");
    if (!content.is_array()) return wrong(where + ".content", "a list of parts (name, text)");
    std::string text;
    for (const Json& part : content) {
      TRY_ASSIGN(const std::string name, text_of(part, "name", where + ".content"));
      TRY_ASSIGN(const std::string result, text_of(part, "text", where + ".content"));
      text +=
          fmt::format("{}{}{}{}{}", kToolNameLabel, name, kToolResultLabel, result, kToolResultEnd);
    }
    return text;
  }

  bool strings_allowed_;
};

// vLLM's example template for the same model.
class VllmTemplate {
 public:
  static Result<std::string> render(const Json& messages, const Json& tools) {
    if (messages.empty()) return wrong("messages", "at least one message");
    const bool system_first = member(messages[0], "role") == "system";
    std::string system(kVllmDefaultSystem);
    if (system_first) {
      TRY_ASSIGN(system, system_text(messages[0]));
    }
    std::string out;
    if (!system.empty()) out += turn(kVllmSystemHead, system);
    if (!tools.is_null()) {
      TRY_ASSIGN(const std::string rendered, tools_turn(tools, kVllmToolsTail));
      out += rendered;
    }
    for (size_t index = system_first ? 1 : 0; index < messages.size(); ++index) {
      TRY_ASSIGN(const std::string rendered,
                 render_turn(messages[index], fmt::format("messages[{}]", index)));
      out += rendered;
    }
    return out;
  }

 private:
  static Result<std::string> system_text(const Json& message) {
    const Json& content = member(message, "content");
    if (content.is_string()) return std::string(strip(content.get_ref<const std::string&>()));
    if (!content.is_array() || content.empty()) {
      return wrong("messages[0].content", "a string, or a list with a text part");
    }
    TRY_ASSIGN(const std::string text, text_of(content[0], "text", "messages[0].content[0]"));
    return std::string(strip(text));
  }

  static Result<std::string> render_turn(const Json& message, const std::string& where) {
    const Json& role = member(message, "role");
    // Calls come first: the text of a message that has them, its thinking included, is dropped.
    if (message.is_object() && message.contains("tool_calls")) {
      TRY_ASSIGN(const std::string calls, tool_calls(message, where));
      return turn(kVllmAssistantHead, calls);
    }
    if (role == "user" || role == "assistant") {
      TRY_ASSIGN(const std::string text, stripped_text(message, where));
      return turn(role == "user" ? kUserHead : kVllmAssistantHead, text);
    }
    if (role == "tool" || role == "ipython") {
      TRY_ASSIGN(const std::string text, tool_results(message, where));
      return turn(kToolHead, text);
    }
    return std::string();  // Later system messages, and any other role.
  }

  static Result<std::string> stripped_text(const Json& message, const std::string& where) {
    const Json& content = member(message, "content");
    if (content.is_string()) return std::string(strip(content.get_ref<const std::string&>()));
    if (!content.is_array()) return wrong(where + ".content", "a string or a list of parts");
    std::string text;
    for (const Json& part : content) {
      if (!has_type_text(part)) continue;
      TRY_ASSIGN(const std::string one, text_of(part, "text", where + ".content"));
      text += strip(one);
    }
    return text;
  }

  static Result<std::string> tool_calls(const Json& message, const std::string& where) {
    const Json& calls = member(message, "tool_calls");
    if (!calls.is_array()) return wrong(where + ".tool_calls", "a list of calls");
    std::string text = "<tool_calls>\n";
    for (const Json& call : calls) {
      const Json& function = member(call, "function");
      const Json& name = member(function, "name");
      if (!name.is_string() || !function.contains("arguments")) {
        return wrong(where + ".tool_calls", "a \"function\" with \"name\" and \"arguments\"");
      }
      TRY_ASSIGN(const std::string arguments, json_text(function["arguments"]));
      text += fmt::format("{{\"name\": \"{}\", \"arguments\": {}}}\n",
                          name.get_ref<const std::string&>(), arguments);
    }
    return text + "</tool_calls>";
  }

  static Result<std::string> tool_results(const Json& message, const std::string& where) {
    const Json& content = member(message, "content");
    const std::string_view label = kToolResultLabel.substr(1);  // Without the line break.
    if (content.is_string()) {
      return fmt::format("{}{}{}", label, content.get_ref<const std::string&>(), kToolResultEnd);
    }
    if (!content.is_array()) return wrong(where + ".content", "a string or a list of parts");
    std::string text;
    for (const Json& part : content) {
      const Json& name = member(part, "name");
      const bool named = name.is_string() && !name.get_ref<const std::string&>().empty();
      if (!has_type_text(part) && !named) continue;
      TRY_ASSIGN(const std::string result, text_of(part, "text", where + ".content"));
      // A text part never shows its name; only parts of other types do.
      if (!has_type_text(part)) {
        text += fmt::format("{}{}\n", kToolNameLabel, name.get_ref<const std::string&>());
      }
      text += fmt::format("{}{}{}", label, result, kToolResultEnd);
    }
    return text;
  }
};

}  // namespace

Result<std::string> render_conversation(ChatTemplate which, const Json& conversation) {
  const Json& messages = member(conversation, "messages");
  if (!messages.is_array()) return wrong("conversation", "an object with a list \"messages\"");
  for (size_t index = 0; index < messages.size(); ++index) {
    if (!messages[index].is_object()) return wrong(fmt::format("messages[{}]", index), "an object");
  }
  const Json& start = member(conversation, "add_generation_prompt");
  if (!start.is_null() && !start.is_boolean()) return wrong("add_generation_prompt", "a boolean");
  const bool vllm = which == ChatTemplate::kVllm;
  const Json& tools = member(conversation, "tools");
  const ShippedTemplate shipped(which == ChatTemplate::kLevin);
  TRY_ASSIGN(const std::string body,
             vllm ? VllmTemplate::render(messages, tools) : shipped.render(messages, tools));
  std::string out = std::string(kBeginOfDocument) + body;
  if (start == true) {
    out += kBeginningOfSentence;
    out += vllm ? kVllmAssistantHead : kAssistantHead;
  }
  return out;
}

}  // namespace levin::engine
