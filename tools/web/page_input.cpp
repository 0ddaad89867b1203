// Mouse and keyboard: real input events, as a person's hands would cause them.
#include <array>

#include "tools/web/page.h"

namespace levin::tools::web {
namespace {

// A handler that takes longer hangs.
constexpr auto kInputMax = std::chrono::seconds(12);

struct NamedKey {
  std::string_view name;
  int code;
  std::string_view text;
};

constexpr std::array<NamedKey, 14> kNamedKeys = {{
    {"Enter", 13, "\r"},
    {"Tab", 9, ""},
    {"Escape", 27, ""},
    {"Backspace", 8, ""},
    {"Delete", 46, ""},
    {"ArrowLeft", 37, ""},
    {"ArrowUp", 38, ""},
    {"ArrowRight", 39, ""},
    {"ArrowDown", 40, ""},
    {"Home", 36, ""},
    {"End", 35, ""},
    {"PageUp", 33, ""},
    {"PageDown", 34, ""},
    {"Space", 32, " "},
}};

std::string code_of(char c) {
  if (c >= 'a' && c <= 'z') return std::string("Key") + static_cast<char>(c - 'a' + 'A');
  if (c >= 'A' && c <= 'Z') return std::string("Key") + c;
  if (c >= '0' && c <= '9') return std::string("Digit") + c;
  switch (c) {
    case ' ':
      return "Space";
    case '.':
      return "Period";
    case ',':
      return "Comma";
    case '\'':
    case '"':
      return "Quote";
    case ';':
    case ':':
      return "Semicolon";
    case '-':
    case '_':
      return "Minus";
    case '/':
    case '?':
      return "Slash";
    default:
      return "";
  }
}

int key_code_of(char c) {
  if (c >= 'a' && c <= 'z') return c - 'a' + 'A';
  if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ') return c;
  return 0;
}

// Bits of Input.dispatchKeyEvent.
int modifier_of(std::string_view name) {
  if (name == "Alt") return 1;
  if (name == "Control") return 2;
  if (name == "Meta") return 4;
  if (name == "Shift") return 8;
  return 0;
}

Json key_event(const std::string& name, int modifiers) {
  Json event = {{"type", "keyDown"}, {"modifiers", modifiers}};
  for (const NamedKey& known : kNamedKeys) {
    if (known.name != name) continue;
    event["key"] = name == "Space" ? " " : name;
    event["code"] = name;
    event["windowsVirtualKeyCode"] = known.code;
    if (!known.text.empty()) event["text"] = known.text;
    return event;
  }
  event["key"] = name;
  if (name.size() == 1) {
    const char c = name[0];
    event["code"] = code_of(c);
    event["windowsVirtualKeyCode"] = key_code_of(c);
    if (c >= 'A' && c <= 'Z') event["modifiers"] = modifiers | 8;
  }
  if ((modifiers & 7) == 0) event["text"] = name;
  if (modifiers == 2 && name == "a") event["commands"] = {"selectAll"};
  return event;
}

}  // namespace

Result<std::string> Page::click(const Json& target) {
  return mouse(target, {"mouseMoved", "mousePressed", "mouseReleased"});
}

Result<std::string> Page::hover(const Json& target) { return mouse(target, {"mouseMoved"}); }

Result<std::string> Page::mouse(const Json& target, const std::vector<std::string>& events) {
  TRY_ASSIGN(const Json place, ask("probe.place(" + target.dump() + ")"));
  if (place.contains("problem")) return place.value("problem", "");
  Json event = {{"x", place["x"]}, {"y", place["y"]}, {"button", "left"}, {"clickCount", 1}};
  for (const std::string& type : events) {
    event["type"] = type;
    const Result<Json> sent = tools_.call(session_, "Input.dispatchMouseEvent", event, kInputMax);
    if (!sent) return broken(sent.error(), "clicking " + place.value("what", ""));
  }
  TRY(advance(0));
  return std::string();
}

Result<void> Page::key(const std::string& name) {
  int modifiers = 0;
  std::string last = name;
  for (size_t plus = last.find('+'); plus != std::string::npos && plus > 0 && last.size() > plus + 1;
       plus = last.find('+')) {
    modifiers |= modifier_of(last.substr(0, plus));
    last = last.substr(plus + 1);
  }
  Json event = key_event(last, modifiers);
  const Result<Json> down = tools_.call(session_, "Input.dispatchKeyEvent", event, kInputMax);
  if (!down) return broken(down.error(), "pressing " + name);
  event["type"] = "keyUp";
  event.erase("text");
  event.erase("commands");
  // Input keeps its order, so nobody has to wait for this one.
  tools_.post(session_, "Input.dispatchKeyEvent", event);
  return {};
}

Result<void> Page::type(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    size_t length = 1;
    while (at + length < text.size() && (static_cast<unsigned char>(text[at + length]) & 0xc0) == 0x80) {
      ++length;
    }
    const std::string character = text.substr(at, length);
    TRY(key(character == "\n" ? "Enter" : character));
    at += length;
  }
  TRY(advance(0));
  return {};
}

}  // namespace levin::tools::web
