// One model reply: samples until an end, streams the text.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model_client.h"
#include "base/result.h"

namespace levin::agent {

enum class FinishReason { kStop, kStopString, kLength, kInterrupted };

struct GenerateOptions {
  engine::SampleOptions sample;
  int64_t tokens_max = 40960;
  int64_t think_tokens_max = -1;          // Then the closing tag is forced. -1: no budget.
  std::vector<std::string> stop_strings;  // Text from the first of them on is not given out.
  const std::atomic<bool>* interrupted = nullptr;
};

struct Generated {
  std::string text;  // Without the end marker and without a stop string.
  int64_t num_tokens =
      0;  // Sampled ones and those of a forced closing tag, the end marker included.
  FinishReason finish = FinishReason::kStop;
  std::string cut_by;  // Why the model could not go on before tokens_max (a full context).
  double seconds = 0;  // Of all samples after the first, which includes the prefill.
  double first_token_seconds = 0;
};

// Samples from `client` until `end_token`, a stop string, a limit or an interrupt. `on_text` gets
// the text as it becomes certain: whole UTF-8 characters, nothing that could still become a stop
// string. Errors: those of the client (full context, script at its end).
Result<Generated> generate(ModelClient& client, engine::TokenId end_token,
                           const GenerateOptions& options,
                           const std::function<void(std::string_view)>& on_text);

}  // namespace levin::agent
