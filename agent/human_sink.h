// The view of a run for a person: the model's text while it is generated, commands with their
// output, edits as diffs, and one line of figures at the end. All foreign text passes
// agent/terminal_filter.h.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

#include "agent/event_sink.h"
#include "agent/terminal_filter.h"

namespace levin::agent {

struct HumanSinkOptions {
  bool colour = false;           // The stream is a terminal and NO_COLOR is unset.
  size_t output_lines_max = 20;  // Of a command or a tool.
  size_t diff_lines_max = 60;
  size_t line_characters_max = 200;  // Longer lines of output are cut; prose never is.
};

class HumanSink final : public EventSink {
 public:
  // The stream outlives it. It is flushed after each event.
  HumanSink(std::ostream& out, HumanSinkOptions options) : out_(out), options_(options) {}

  void on_event(const Event& event) override;

 private:
  enum class Style { kPlain, kDim, kBold, kRed, kGreen, kCyan };
  enum class Block { kNone, kText, kLine, kOutput };

  // Prose or reasoning while it streams in.
  struct TextStream {
    std::string item_id;
    Style style = Style::kPlain;
    std::string_view prefix;  // Before each line.
    TerminalFilter filter;
    std::string blanks;  // Held back: white space at the end is not shown.
    bool started = false;
    bool line_open = false;
  };

  void show(const ThreadStarted& event);
  void show(const TurnStarted&) {}
  void show(const ItemStarted& event);
  void show(const ItemUpdated& event);
  void show(const ItemCompleted& event);
  // Per-step figures would drown the text; the sum is shown at the end.
  void show(const StepState&) {}
  // The loop tells this one on stderr, in both output modes.
  void show(const StateRefused&) {}
  void show(const Warning& event);
  void show(const Retried& event);
  void show(const RunCompleted& event);
  void show(const RunFailed& event);

  void complete(const Item& item, const CommandItem& command);
  void complete(const Item& item, const FileChangeItem& change);
  void complete(const Item& item, const ToolItem& tool);
  void complete(const Item& item, const WebCheckItem& check);
  void complete(const Item& item, const MessageItem& message);
  void complete(const Item& item, const ReasoningItem& reasoning);

  void stream(const Item& item, bool is_reasoning, std::string_view text);
  void stream_printable(std::string_view text);
  void end_stream();
  void command_head(const Item& item, const CommandItem& command);
  void diff_line(std::string_view line);
  void indented(std::string_view text, Style style);
  void begin_block(Block block);
  void styled(Style style, std::string_view text);
  std::string cut_line(std::string_view line) const;
  std::string figures(const Usage& usage) const;

  std::ostream& out_;
  HumanSinkOptions options_;
  TextStream stream_;
  std::string streamed_id_;  // The last item that was shown while it came in.
  std::string head_id_;      // The last command whose first line is on the screen.
  Block last_block_ = Block::kNone;
};

}  // namespace levin::agent
