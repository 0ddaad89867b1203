// The file behind `--model script:FILE`: one JSON object per line, each a reply as a model would
// have sampled it. Only the format; agent/script_model.h plays it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace levin::agent {

struct ScriptReply {
  std::string text;            // Without its end marker.
  std::optional<int> pace_ms;  // Wait before each chunk; unset: as the options say.
  bool cut = false;            // "finish": "length". The end marker never comes.
};

// Reads {"text": "...", "pace_ms": n, "finish": "stop" | "length"} per line; the last two are
// optional and blank lines are skipped. One <end_of_sentence> at the end of a text is removed.
// `name` stands for the file in messages. Errors: kInvalidArgument, naming file, line, what was
// expected and found.
Result<std::vector<ScriptReply>> parse_script(std::string_view content, const std::string& name);

}  // namespace levin::agent
