// Turns one model reply, while it is sampled, into events: reasoning and prose as they come.
#pragma once

#include <string>
#include <string_view>

#include "agent/event_sink.h"
#include "agent/reply_parser.h"

namespace levin::agent {

// Gives items their ids: unique in a run, in order.
class ItemIds {
 public:
  std::string next() { return "item_" + std::to_string(next_++); }

 private:
  int next_ = 0;
};

class ReplyStream {
 public:
  ReplyStream(EventSink& events, ItemIds& ids, int step)
      : events_(events), ids_(ids), step_(step) {}

  void push(std::string_view text) { handle(parser_.push(text)); }
  // The reply is over; completes the open item.
  const Reply& finish();

 private:
  void handle(const std::vector<ReplyEvent>& events);
  void extend(bool is_reasoning, std::string_view text);
  void close();
  Item item(const std::string& text) const;

  EventSink& events_;
  ItemIds& ids_;
  int step_;
  ReplyParser parser_;
  // The item that is open. Blanks around its text are not shown.
  bool open_ = false;
  bool is_reasoning_ = false;
  std::string id_;
  std::string text_;
};

}  // namespace levin::agent
