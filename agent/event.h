// What happens in a run, as data. Every front end is a subscriber to this one stream; the JSON form
// is an interface that scripts rely on (docs/formats/events.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace levin::agent {

// Things that a step brings forth. Texts may hold any bytes; to_json makes them valid UTF-8.
struct MessageItem {
  std::string text;
};
struct ReasoningItem {
  std::string text;
};
struct CommandItem {
  enum class Status { kRunning, kCompleted, kFailed, kTimeout, kDenied, kInterrupted };
  std::string command;
  std::optional<int> exit_code;  // Empty while it runs, and when it did not end by itself.
  std::string output;
  Status status = Status::kRunning;
};
struct FileChangeItem {
  enum class Kind { kAdd, kUpdate, kDelete };
  std::string path;  // Relative to the workspace.
  Kind kind = Kind::kUpdate;
  std::string diff;  // Unified; empty until the change is made.
};
struct ToolItem {
  std::string name;
  std::string arguments;  // Raw JSON text as the model wrote it.
  std::string result;     // What the model is told.
  bool failed = false;
};

// A web app was opened and used by a browser.
struct WebCheckItem {
  std::string spec;
  int round = 0;
  int passed = 0;  // Checks.
  int failed = 0;
  std::string report;                    // What the model is told.
  std::vector<std::string> screenshots;  // Paths.
};

struct Item {
  std::string id;  // Unique in the run.
  std::variant<MessageItem, ReasoningItem, CommandItem, FileChangeItem, ToolItem,
               WebCheckItem>
      body;
};

struct ThreadStarted {
  std::string id;  // Of the session.
};
struct TurnStarted {};
struct ItemStarted {
  int step = 0;
  Item item;
};
// More text of an item: of a message, of reasoning, or output of a command.
struct ItemUpdated {
  int step = 0;
  Item item;  // As far as it is known without the delta; text and output may be left empty.
  std::string delta;
};
struct ItemCompleted {
  int step = 0;
  Item item;
};
// Tokens of one model reply. Their sum is the length of the token log after it.
struct StepState {
  int step = 0;
  int64_t reused = 0;
  int64_t prefilled = 0;
  int64_t generated = 0;
};
// A stored model state that could not be used; the run goes on by prefilling.
struct StateRefused {
  std::string file;
  std::string reason;
};

// Something that the user should know and the model need not.
struct Warning {
  int step = 0;
  std::string message;
};

// The request is begun anew, files, conversation and state as they were when it was made.
struct Retried {
  int attempt = 0;   // From 2.
  int attempts = 0;  // At most.
  std::string reason;
  double temperature = 0;
};

// Totals of a run.
struct Usage {
  int64_t reused = 0;
  int64_t prefilled = 0;
  int64_t generated = 0;
  int steps = 0;
  int tool_calls = 0;
  int files_changed = 0;
  int64_t wall_ms = 0;
  double prefill_tokens_per_second = 0;  // 0: nothing was measured.
  double tokens_per_second = 0;          // Of generation.
  int64_t drafted = 0;                   // Tokens that were guessed ahead,
  int64_t accepted = 0;                  // and those of them that came true.
};
struct RunCompleted {
  Usage usage;
};
struct RunFailed {
  std::string reason;   // A stable word: script_end, max_steps, interrupted, ...
  std::string message;  // For a person; may be empty.
  Usage usage;
};

using Event = std::variant<ThreadStarted, TurnStarted, ItemStarted, ItemUpdated, ItemCompleted,
                           StepState, StateRefused, Warning, Retried, RunCompleted, RunFailed>;

nlohmann::ordered_json to_json(const Event& event);

}  // namespace levin::agent
