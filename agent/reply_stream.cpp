#include "agent/reply_stream.h"

namespace levin::agent {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace

Item ReplyStream::item(const std::string& text) const {
  if (is_reasoning_) return Item{id_, ReasoningItem{text}};
  return Item{id_, MessageItem{text}};
}

void ReplyStream::extend(bool is_reasoning, std::string_view text) {
  if (open_ && is_reasoning_ != is_reasoning) close();
  if (!open_) {
    const size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return;
    text.remove_prefix(begin);
    open_ = true;
    is_reasoning_ = is_reasoning;
    id_ = ids_.next();
    text_.clear();
    events_.on_event(ItemStarted{step_, item("")});
  }
  text_ += text;
  events_.on_event(ItemUpdated{step_, item(""), std::string(text)});
}

void ReplyStream::close() {
  if (!open_) return;
  open_ = false;
  events_.on_event(ItemCompleted{step_, item(trimmed(text_))});
}

void ReplyStream::handle(const std::vector<ReplyEvent>& events) {
  for (const ReplyEvent& event : events) {
    if (event.kind == ReplyEvent::Kind::kReasoning) extend(true, event.text);
    if (event.kind == ReplyEvent::Kind::kContent) extend(false, event.text);
    if (event.kind == ReplyEvent::Kind::kCallBegin) close();
  }
}

const Reply& ReplyStream::finish() {
  handle(parser_.finish());
  close();
  return parser_.reply();
}

}  // namespace levin::agent
