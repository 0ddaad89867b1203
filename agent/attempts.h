// A model whose card names retries begins its request anew while the tests still fail: files,
// conversation and state go back to the request together, and the next attempt is sampled with
// more chance. Which attempt a step belongs to is in the events and in the transcript.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/session_checkpoints.h"

namespace levin::agent {

struct AttemptOptions {
  int64_t retries = 0;  // 0: one attempt, nothing is judged.
  double retry_temperature = 1.0;
  int64_t steps_max = 40;    // Of all attempts together.
  std::string test_command;  // The user's; empty: what the repository and the model say.
  CheckpointRecord start;    // The files before the first step.
};

struct AttemptParts {
  Agent& agent;
  ModelClient& client;
  Transcript& transcript;
  SessionCheckpointer& checkpointer;
  const tools::Registry& registry;
  tools::ToolContext& tools;
  EventSink& events;
};

// The agent's outcome. With retries an attempt that saw a command fail and tried to edit is judged
// by the tests; one that ends with them failing is given up, up to `retries` times; the last one's
// outcome is then `checks`.
Outcome run_attempts(const AttemptParts& parts, const AttemptOptions& options);

}  // namespace levin::agent
