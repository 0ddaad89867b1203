// Reads what a model says: reasoning, prose and tool calls, from bytes as they arrive. The result is
// the same for the whole text, for any split of it and byte by byte. Tags are ordinary text that may
// begin or end inside a token. Rules: docs/formats/reply.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace levin::agent {

struct ToolCall {
  std::string name;
  std::string arguments;  // Raw JSON text as sampled ("{}" when missing). For a cut call: what came.
  bool cut = false;       // The text ended inside the call: never executed.
};

struct ReplyProblem {
  size_t offset = 0;      // Byte in the reply where the malformed value begins.
  size_t call_index = 0;  // How many calls came before it.
  std::string message;
};

struct Reply {
  std::string reasoning;
  std::string content;
  std::vector<ToolCall> calls;
  std::vector<ReplyProblem> problems;
  bool cut = false;       // Ended inside reasoning or a call: finish reason "length".
};

struct ReplyEvent {
  enum class Kind { kReasoning, kContent, kCallBegin, kCallArguments, kCallEnd, kProblem };
  Kind kind;
  std::string text;       // Bytes of this event; the name for kCallBegin.
};

class ReplyParser {
 public:
  struct Options {
    bool reasoning_open = false;  // The prompt itself opened <think>.
  };

  ReplyParser();
  explicit ReplyParser(Options options);

  // Takes bytes; returns what is certain now.
  std::vector<ReplyEvent> push(std::string_view bytes);
  // The text is over: gives out what was held back.
  std::vector<ReplyEvent> finish();
  // Everything so far; complete after finish().
  const Reply& reply() const { return reply_; }

 private:
  Reply reply_;
  Options options_;
  // Further private state belongs to the implementer.
};

}  // namespace levin::agent
