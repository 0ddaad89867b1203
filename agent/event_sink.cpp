#include "agent/event_sink.h"

#include <ostream>

#include <nlohmann/json.hpp>

namespace levin::agent {

void JsonSink::on_event(const Event& event) {
  out_ << to_json(event).dump() << '\n' << std::flush;
}

}  // namespace levin::agent
