// Reads what a model says: reasoning, prose and tool calls, from bytes as they arrive. The result
// is the same for the whole text, for any split of it and byte by byte. Tags are ordinary text that
// may begin or end inside a token. Rules: docs/formats/reply.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/json_scanner.h"

namespace levin::agent {

struct ToolCall {
  std::string name;
  std::string
      arguments;     // Raw JSON text as sampled ("{}" when missing). For a cut call: what came.
  bool cut = false;  // The text ended inside the call: never executed.
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
  bool cut = false;  // Ended inside reasoning or a call: finish reason "length".
};

// A call is begun by kCallBegin (once its name is known) and ended by kCallEnd. A kProblem in
// between means that the begun call is malformed and void; finish() without a kCallEnd, that it was
// cut.
struct ReplyEvent {
  enum class Kind { kReasoning, kContent, kCallBegin, kCallArguments, kCallEnd, kProblem };
  Kind kind;
  std::string text;  // Bytes of this event; the name for kCallBegin.
};

class ReplyParser {
 public:
  struct Options {
    bool reasoning_open = false;  // The prompt itself opened <think>.
  };

  ReplyParser();
  explicit ReplyParser(Options options);

  // Takes bytes; returns what is certain now. Neighbouring events of one kind are joined within a
  // push. May end inside a UTF-8 character when the bytes do. Cost: linear in all bytes pushed.
  std::vector<ReplyEvent> push(std::string_view bytes);
  // The text is over: gives out what was held back. Nothing may be pushed afterwards.
  std::vector<ReplyEvent> finish();
  // Everything so far; complete after finish().
  const Reply& reply() const { return reply_; }

 private:
  enum class Mode {
    kText,   // Prose, outside every tag.
    kThink,  // Inside <think>.
    kBlock,  // Inside <tool_calls>, between values.
    kValue,  // Inside the JSON object of one call.
    kSkip,   // In the rest of the line on which a malformed value was found.
    kFinished,
  };
  // One call while its object is being read.
  struct Open {
    JsonScanner scanner;
    size_t offset = 0;           // Of its first byte in the reply.
    std::string slice;           // Raw bytes of the key or value that is being read.
    bool line_is_blank = false;  // Since the last line break, which lies in the object.
    bool collecting = false;     // A key or value is being read.
    std::string key;             // Of the member that is being read.
    std::string name;
    bool has_name = false;
    bool name_is_bad = false;  // `name` is there but no string.
    std::string arguments;
    bool has_arguments = false;
  };
  // Finds </tool_calls> at the end of a line whose JSON is broken.
  struct CloseTag {
    size_t matched = 0;     // Bytes of the tag matched so far.
    bool complete = false;  // The whole tag, and since then only blanks.
    std::string blanks;     // Those.
  };

  void take(char byte);
  void take_text(char byte);
  void take_think(char byte);
  void take_block(char byte);
  void take_value(char byte);
  void take_skip(char byte);
  void give(ReplyEvent::Kind kind, std::string_view text);
  void end_member();
  void end_call();
  bool streams_arguments() const;
  void begin_skip(size_t offset, std::string message, bool in_string);
  void report(size_t offset, std::string message);
  bool track_close_tag(char byte);
  void close_at_line_end();

  Reply reply_;
  Options options_;
  Mode mode_ = Mode::kText;
  size_t offset_ = 0;  // Bytes taken so far.
  std::string held_;   // The beginning of what may become a tag.
  Open open_;
  CloseTag close_tag_;
  bool skip_in_string_ = false;  // kSkip: by its quotes, the place lies inside a string.
  bool skip_after_backslash_ = false;
  std::vector<ReplyEvent> events_;  // Of the running push.
};

}  // namespace levin::agent
