#include "agent/human_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace levin::agent {
namespace {

constexpr std::string_view kIndent = "  ";
constexpr size_t kArgumentCharactersMax = 100;  // Of a tool's arguments in its line.

// The lines of `text`; a line break at its end begins no further line.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// At most `count` characters of valid UTF-8, an ellipsis where something was cut.
std::string first_characters(std::string_view text, size_t count) {
  size_t position = 0;
  for (; count > 0 && position < text.size(); --count) {
    position += static_cast<size_t>(std::max(1, utf8_character_size(text.substr(position))));
  }
  const bool cut = position < text.size();
  return std::string(text.substr(0, position)) + (cut ? "…" : "");
}

// 12345 as "12,345".
std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  const int64_t first = number < 0 ? 1 : 0;
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > first; at -= 3) {
    digits.insert(static_cast<size_t>(at), 1, ',');
  }
  return digits;
}

std::string counted(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(count), noun, count == 1 ? "" : "s");
}

std::string duration(int64_t wall_ms) {
  if (wall_ms < 60000) return fmt::format("{:.1f} s", static_cast<double>(wall_ms) / 1000);
  const int64_t seconds = wall_ms / 1000;
  return fmt::format("{} min {} s", seconds / 60, seconds % 60);
}

// What a reader wants to see of the arguments: the pattern or the path, else all of them.
std::string main_argument(const std::string& arguments) {
  const auto value = nlohmann::json::parse(arguments, nullptr, false);
  if (value.is_object()) {
    for (const char* key : {"pattern", "path", "command", "url"}) {
      const auto found = value.find(key);
      if (found != value.end() && found->is_string()) return found->get<std::string>();
    }
    if (value.empty()) return "";
  }
  return arguments;
}

std::string one_line(std::string_view text) {
  std::string line = printable(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

// The lines of a unified diff from its first hunk on; the path is shown above it.
std::vector<std::string_view> hunk_lines(std::string_view diff) {
  std::vector<std::string_view> lines = lines_of(diff);
  const auto hunk = std::find_if(lines.begin(), lines.end(),
                                 [](std::string_view line) { return line.starts_with("@@"); });
  if (hunk != lines.end()) lines.erase(lines.begin(), hunk);
  return lines;
}

}  // namespace

void HumanSink::on_event(const Event& event) {
  std::visit([this](const auto& known) { show(known); }, event);
  out_ << std::flush;
}

void HumanSink::show(const ThreadStarted& event) {
  begin_block(Block::kLine);
  styled(Style::kDim, "session " + one_line(event.id));
  out_ << '\n';
}

void HumanSink::show(const ItemStarted& event) {
  const auto* command = std::get_if<CommandItem>(&event.item.body);
  if (command != nullptr) command_head(event.item, *command);
}

void HumanSink::show(const ItemUpdated& event) {
  const bool is_reasoning = std::holds_alternative<ReasoningItem>(event.item.body);
  if (!is_reasoning && !std::holds_alternative<MessageItem>(event.item.body)) return;
  stream(event.item, is_reasoning, event.delta);
}

void HumanSink::show(const ItemCompleted& event) {
  std::visit([&](const auto& body) { complete(event.item, body); }, event.item.body);
}

void HumanSink::show(const Warning& event) {
  begin_block(Block::kLine);
  styled(Style::kRed, "! " + one_line(event.message));
  out_ << '\n';
}

void HumanSink::show(const Retried& event) {
  begin_block(Block::kLine);
  styled(Style::kCyan,
         fmt::format("↺ {}: attempt {} of at most {}, from the request, temperature {}",
                     one_line(event.reason), event.attempt, event.attempts, event.temperature));
  out_ << '\n';
}

void HumanSink::show(const RunCompleted& event) {
  begin_block(Block::kOutput);
  styled(Style::kGreen, "✓ done");
  styled(Style::kDim, figures(event.usage));
  out_ << '\n';
}

void HumanSink::show(const RunFailed& event) {
  begin_block(Block::kOutput);
  styled(Style::kRed, "✗ failed: " + one_line(event.reason));
  if (!event.message.empty()) out_ << " (" << one_line(event.message) << ')';
  styled(Style::kDim, figures(event.usage));
  out_ << '\n';
}

void HumanSink::complete(const Item& item, const MessageItem& message) {
  if (streamed_id_ != item.id) stream(item, false, message.text);
  end_stream();
}

void HumanSink::complete(const Item& item, const ReasoningItem& reasoning) {
  if (streamed_id_ != item.id) stream(item, true, reasoning.text);
  end_stream();
}

void HumanSink::complete(const Item& item, const CommandItem& command) {
  if (head_id_ != item.id) command_head(item, command);
  indented(command.output, Style::kDim);
  out_ << kIndent;
  const bool right = command.exit_code == 0 && command.status == CommandItem::Status::kCompleted;
  std::string mark = right ? "✓" : "✗";
  if (command.status == CommandItem::Status::kTimeout) mark += " timeout";
  if (command.status == CommandItem::Status::kDenied) mark += " denied";
  if (command.status == CommandItem::Status::kInterrupted) mark += " interrupted";
  if (command.exit_code) mark += fmt::format(" exit {}", *command.exit_code);
  styled(right ? Style::kGreen : Style::kRed, mark);
  out_ << '\n';
}

void HumanSink::complete(const Item&, const FileChangeItem& change) {
  begin_block(Block::kOutput);
  const std::vector<std::string_view> lines = hunk_lines(change.diff);
  const auto count = [&](char sign) {
    return std::count_if(lines.begin(), lines.end(),
                         [&](std::string_view line) { return line.starts_with(sign); });
  };
  const bool added = change.kind == FileChangeItem::Kind::kAdd;
  styled(Style::kBold, (added ? "write " : "edit ") + one_line(change.path));
  styled(Style::kDim, fmt::format(" +{} -{}", count('+'), count('-')));
  out_ << '\n';
  const size_t shown = std::min(lines.size(), options_.diff_lines_max);
  for (size_t index = 0; index < shown; ++index) diff_line(lines[index]);
  if (shown < lines.size()) {
    styled(Style::kDim, fmt::format("{}... {} more lines", kIndent, lines.size() - shown));
    out_ << '\n';
  }
}

void HumanSink::complete(const Item&, const WebCheckItem& check) {
  begin_block(Block::kOutput);
  styled(check.failed == 0 ? Style::kGreen : Style::kRed, "web check, round " + std::to_string(check.round));
  out_ << '\n';
  indented(check.report, Style::kPlain);
}

void HumanSink::complete(const Item&, const ToolItem& tool) {
  const std::string argument = one_line(main_argument(tool.arguments));
  const std::string result = printable(tool.result);
  const bool brief = tool.name == "read" && !tool.failed;
  begin_block(brief ? Block::kLine : Block::kOutput);
  styled(Style::kBold, one_line(tool.name));
  if (!argument.empty()) out_ << ' ' << first_characters(argument, kArgumentCharactersMax);
  if (brief) {
    // The result begins "path (lines a-b of n)": the path stands there already.
    std::string_view first = std::string_view(result).substr(0, result.find('\n'));
    if (first.starts_with(argument + ' ')) first.remove_prefix(argument.size() + 1);
    styled(Style::kDim, ' ' + cut_line(first));
  }
  out_ << '\n';
  if (brief) return;
  indented(result, tool.failed ? Style::kRed : Style::kDim);
}

void HumanSink::stream(const Item& item, bool is_reasoning, std::string_view text) {
  if (stream_.item_id != item.id) {
    end_stream();
    stream_ = TextStream();
    stream_.item_id = item.id;
    stream_.style = is_reasoning ? Style::kDim : Style::kPlain;
    stream_.prefix = is_reasoning ? "│ " : "";
    streamed_id_ = item.id;
  }
  stream_printable(stream_.filter.push(text));
}

// White space around the text is not shown, and of several empty lines only one.
void HumanSink::stream_printable(std::string_view text) {
  std::string visible;
  for (const char byte : text) {
    if (byte == '\n' || byte == ' ' || byte == '\t') {
      if (byte != '\n' || !stream_.blanks.ends_with("\n\n")) stream_.blanks += byte;
      continue;
    }
    if (!stream_.started) {
      begin_block(Block::kText);
      const size_t line_break = stream_.blanks.rfind('\n');
      if (line_break != std::string::npos) stream_.blanks.erase(0, line_break + 1);
      stream_.started = true;
    }
    for (const char blank : stream_.blanks + byte) {
      if (!stream_.line_open) visible += stream_.prefix;
      visible += blank;
      stream_.line_open = blank != '\n';
    }
    stream_.blanks.clear();
  }
  if (!visible.empty()) styled(stream_.style, visible);
}

void HumanSink::end_stream() {
  stream_printable(stream_.filter.finish());
  if (stream_.line_open) out_ << '\n';
  stream_ = TextStream();
}

void HumanSink::command_head(const Item& item, const CommandItem& command) {
  begin_block(Block::kOutput);
  head_id_ = item.id;
  const std::string text = printable(command.command);
  bool first = true;
  for (const std::string_view line : lines_of(text)) {
    styled(Style::kBold, (first ? "$ " : "  ") + std::string(line));
    out_ << '\n';
    first = false;
  }
  if (first) out_ << "$\n";
}

void HumanSink::diff_line(std::string_view line) {
  Style style = Style::kPlain;
  if (line.starts_with('+')) style = Style::kGreen;
  if (line.starts_with('-')) style = Style::kRed;
  if (line.starts_with("@@")) style = Style::kCyan;
  out_ << kIndent;
  styled(style, cut_line(printable(line)));
  out_ << '\n';
}

// The beginning tells what ran, the end usually how it went: both are kept, the end more.
void HumanSink::indented(std::string_view text, Style style) {
  const std::string safe = printable(text);
  const std::vector<std::string_view> lines = lines_of(safe);
  const size_t limit = options_.output_lines_max;
  const size_t hidden = lines.size() > limit ? lines.size() - limit : 0;
  const size_t head = hidden > 0 ? limit * 2 / 5 : lines.size();
  for (size_t index = 0; index < lines.size(); ++index) {
    if (hidden > 0 && index == head) {
      styled(Style::kDim, fmt::format("{}... {} more lines", kIndent, hidden));
      out_ << '\n';
      index += hidden;
    }
    if (index >= lines.size()) break;
    out_ << kIndent;
    styled(style, cut_line(lines[index]));
    out_ << '\n';
  }
}

// Blocks stand apart by one empty line; neighbouring one-line calls do not.
void HumanSink::begin_block(Block block) {
  if (stream_.line_open) {
    out_ << '\n';
    stream_.line_open = false;
  }
  const bool close = block == Block::kLine && last_block_ == Block::kLine;
  if (last_block_ != Block::kNone && !close) out_ << '\n';
  last_block_ = block;
}

// The style ends with the text, so that a killed run leaves no coloured terminal behind.
void HumanSink::styled(Style style, std::string_view text) {
  if (text.empty()) return;
  if (!options_.colour || style == Style::kPlain) {
    out_ << text;
    return;
  }
  constexpr std::string_view kCodes[] = {"", "2", "1", "31", "32", "36"};
  out_ << "\x1b[" << kCodes[static_cast<size_t>(style)] << 'm' << text << "\x1b[0m";
}

std::string HumanSink::cut_line(std::string_view line) const {
  return first_characters(line, options_.line_characters_max);
}

std::string HumanSink::figures(const Usage& usage) const {
  std::string out;
  if (usage.files_changed > 0) out += " · " + counted(usage.files_changed, "file") + " changed";
  if (usage.steps > 0) out += " · " + counted(usage.steps, "step");
  out += fmt::format(" · tokens: {} prefilled, {} reused, {} generated", grouped(usage.prefilled),
                     grouped(usage.reused), grouped(usage.generated));
  if (usage.tokens_per_second > 0)
    out += fmt::format(" · {:.1f} tokens/s", usage.tokens_per_second);
  if (usage.drafted > 0)
    out += fmt::format(" · {} of {} drafted", grouped(usage.accepted), grouped(usage.drafted));
  return out + " · " + duration(usage.wall_ms);
}

}  // namespace levin::agent
