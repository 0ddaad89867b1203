// Who listens to a run. Two users: scripts (JsonSink) and people (agent/human_sink.h).
#pragma once

#include <iosfwd>

#include "agent/event.h"

namespace levin::agent {

class EventSink {
 public:
  virtual ~EventSink() = default;
  // Called by the thread that runs the loop, in order.
  virtual void on_event(const Event& event) = 0;
};

// One JSON object on one line per event, valid UTF-8, flushed after each. The stream outlives it.
class JsonSink final : public EventSink {
 public:
  explicit JsonSink(std::ostream& out) : out_(out) {}
  void on_event(const Event& event) override;

 private:
  std::ostream& out_;
};

}  // namespace levin::agent
