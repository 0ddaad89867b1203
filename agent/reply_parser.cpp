// Every decision depends on the bytes so far and on nothing else, and bytes are taken one at a
// time: that is why no split of the text can change the result.
#include "agent/reply_parser.h"

#include <utility>

#include "base/check.h"

namespace levin::agent {
namespace {

using Kind = ReplyEvent::Kind;

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";
constexpr std::string_view kBlockOpen = "<tool_calls>";
constexpr std::string_view kBlockClose = "</tool_calls>";

bool is_blank(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\r';
}

}  // namespace

ReplyParser::ReplyParser() : ReplyParser(Options{}) {}

ReplyParser::ReplyParser(Options options)
    : options_(options), mode_(options.reasoning_open ? Mode::kThink : Mode::kText) {}

std::vector<ReplyEvent> ReplyParser::push(std::string_view bytes) {
  CHECK(mode_ != Mode::kFinished);
  for (const char byte : bytes) {
    take(byte);
    ++offset_;
  }
  return std::exchange(events_, {});
}

std::vector<ReplyEvent> ReplyParser::finish() {
  CHECK(mode_ != Mode::kFinished);
  if (mode_ == Mode::kText) give(Kind::kContent, held_);
  if (mode_ == Mode::kThink) {
    give(Kind::kReasoning, held_);
    reply_.cut = true;
  }
  // Inside a broken line only the blanks after a closing tag at its very end are prose.
  if (mode_ == Mode::kSkip && close_tag_.complete) give(Kind::kContent, close_tag_.blanks);
  if (mode_ == Mode::kValue) {
    const bool in_arguments = open_.collecting && open_.key == "arguments" && !open_.has_arguments;
    ToolCall call;
    call.name = open_.name;
    call.arguments = in_arguments ? open_.slice : open_.arguments;
    call.cut = true;
    reply_.calls.push_back(std::move(call));
    reply_.cut = true;
  }
  mode_ = Mode::kFinished;
  return std::exchange(events_, {});
}

void ReplyParser::take(char byte) {
  switch (mode_) {
    case Mode::kText:
      return take_text(byte);
    case Mode::kThink:
      return take_think(byte);
    case Mode::kBlock:
      return take_block(byte);
    case Mode::kValue:
      return take_value(byte);
    case Mode::kSkip:
      return take_skip(byte);
    case Mode::kFinished:
      CHECK(false);
  }
}

// No tag holds a second '<', so a mismatch can only be followed by a tag that begins at this byte.
void ReplyParser::take_text(char byte) {
  held_ += byte;
  if (held_ == kThinkOpen || held_ == kBlockOpen) {
    mode_ = held_ == kThinkOpen ? Mode::kThink : Mode::kBlock;
    held_.clear();
    return;
  }
  if (kThinkOpen.starts_with(held_) || kBlockOpen.starts_with(held_)) return;
  const bool restart = byte == '<';
  if (restart) held_.pop_back();
  give(Kind::kContent, held_);
  held_ = restart ? "<" : "";
}

void ReplyParser::take_think(char byte) {
  held_ += byte;
  if (held_ == kThinkClose) {
    mode_ = Mode::kText;
    held_.clear();
    return;
  }
  if (kThinkClose.starts_with(held_)) return;
  const bool restart = byte == '<';
  if (restart) held_.pop_back();
  give(Kind::kReasoning, held_);
  held_ = restart ? "<" : "";
}

void ReplyParser::take_block(char byte) {
  if (!held_.empty() || byte == '<') {
    held_ += byte;
    if (held_ == kBlockClose) {
      mode_ = Mode::kText;
      held_.clear();
    } else if (!kBlockClose.starts_with(held_)) {
      const size_t begin = offset_ + 1 - held_.size();
      held_.clear();
      close_tag_ = CloseTag();
      begin_skip(begin, "expected a JSON object or </tool_calls>, found '<'", false);
      take_skip(byte);
    }
    return;
  }
  // A comma between two objects is harmless and read as a blank: some models write a list.
  if (is_blank(byte) || byte == '\n' || byte == ',') return;
  close_tag_ = CloseTag();
  if (byte != '{') {
    begin_skip(offset_, "expected a JSON object, found other text", false);
    take_skip(byte);
    return;
  }
  mode_ = Mode::kValue;
  open_ = Open();
  open_.offset = offset_;
  open_.scanner.feed(byte);
}

void ReplyParser::take_value(char byte) {
  const bool was_in_string = open_.scanner.in_string();
  const unsigned flags = open_.scanner.feed(byte);
  if (flags & JsonScanner::kBad) {
    const std::string place = " (byte " + std::to_string(offset_ - open_.offset) + " of the call)";
    begin_skip(open_.offset, open_.scanner.error() + place, was_in_string);
    // A line that begins with an object is the next call after one that lacks a brace; else the
    // byte belongs to the line that is skipped, or is the line break that ends it.
    if (open_.line_is_blank && byte == '{') mode_ = Mode::kBlock;
    take(byte);
    return;
  }
  open_.line_is_blank = byte == '\n' || (open_.line_is_blank && is_blank(byte));
  track_close_tag(byte);
  if (flags & JsonScanner::kValueEndBefore) end_member();
  if (flags & (JsonScanner::kKeyBegin | JsonScanner::kValueBegin)) {
    open_.slice.clear();
    open_.collecting = true;
  }
  if (open_.collecting) {
    open_.slice += byte;
    if (streams_arguments()) give(Kind::kCallArguments, std::string_view(&byte, 1));
  }
  if (flags & JsonScanner::kKeyEnd) {
    open_.key = unquote_json(open_.slice);
    open_.collecting = false;
  }
  if (flags & JsonScanner::kValueEnd) end_member();
  if (flags & JsonScanner::kDone) end_call();
}

// An object is given out as it comes; a string may have to be unwrapped, so it waits for its end.
bool ReplyParser::streams_arguments() const {
  return open_.has_name && !open_.has_arguments && open_.key == "arguments" &&
         open_.slice.front() == '{';
}

// The first `name` and the first `arguments` count: they may have been given out already.
void ReplyParser::end_member() {
  open_.collecting = false;
  if (open_.key == "name" && !open_.has_name) {
    if (open_.slice.front() != '"') {
      open_.name_is_bad = true;
    } else {
      open_.name = unquote_json(open_.slice);
      open_.has_name = true;
      give(Kind::kCallBegin, open_.name);
      if (open_.has_arguments) give(Kind::kCallArguments, open_.arguments);
    }
  } else if (open_.key == "arguments" && !open_.has_arguments) {
    const bool streamed = streams_arguments();
    open_.arguments = std::exchange(open_.slice, {});
    if (open_.arguments.front() == '"') {
      std::string inner = unquote_json(open_.arguments);
      if (is_json_object(inner)) open_.arguments = std::move(inner);
    }
    open_.has_arguments = true;
    if (open_.has_name && !streamed) give(Kind::kCallArguments, open_.arguments);
  }
  open_.key.clear();
}

void ReplyParser::end_call() {
  mode_ = Mode::kBlock;
  if (!open_.has_name) {
    report(open_.offset, open_.name_is_bad
                             ? "expected a string as \"name\" of the call, found another"
                               " value"
                             : "expected a \"name\" in the call, found none");
    return;
  }
  if (!open_.has_arguments) {
    open_.arguments = "{}";
    give(Kind::kCallArguments, open_.arguments);
  }
  give(Kind::kCallEnd, {});
  reply_.calls.push_back(ToolCall{std::move(open_.name), std::move(open_.arguments), false});
}

void ReplyParser::begin_skip(size_t offset, std::string message, bool in_string) {
  report(offset, std::move(message));
  mode_ = Mode::kSkip;
  skip_in_string_ = in_string;
  skip_after_backslash_ = false;
}

// A closing tag ends the block when it stands outside the line's strings, as far as quotes tell, or
// at the end of the line: there a missing quote is likelier than a tag that is meant as data.
void ReplyParser::take_skip(char byte) {
  if (byte == '\n') {
    if (close_tag_.complete) return close_at_line_end();
    mode_ = Mode::kBlock;
    return;
  }
  if (track_close_tag(byte) && !skip_in_string_) {
    mode_ = Mode::kText;
    return;
  }
  if (skip_after_backslash_) {
    skip_after_backslash_ = false;
  } else if (skip_in_string_ && byte == '\\') {
    skip_after_backslash_ = true;
  } else if (byte == '"') {
    skip_in_string_ = !skip_in_string_;
  }
}

void ReplyParser::close_at_line_end() {
  mode_ = Mode::kText;
  give(Kind::kContent, close_tag_.blanks);
  give(Kind::kContent, "\n");
}

// Returns true when this byte completes the tag.
bool ReplyParser::track_close_tag(char byte) {
  if (close_tag_.complete) {
    if (is_blank(byte)) {
      close_tag_.blanks += byte;
      return false;
    }
    close_tag_ = CloseTag();
  }
  if (byte == kBlockClose[close_tag_.matched]) {
    ++close_tag_.matched;
  } else {
    close_tag_.matched = byte == kBlockClose[0] ? 1 : 0;
  }
  if (close_tag_.matched < kBlockClose.size()) return false;
  close_tag_.matched = 0;
  close_tag_.complete = true;
  return true;
}

void ReplyParser::report(size_t offset, std::string message) {
  give(Kind::kProblem, message);
  reply_.problems.push_back(ReplyProblem{offset, reply_.calls.size(), std::move(message)});
}

void ReplyParser::give(Kind kind, std::string_view text) {
  const bool joins =
      kind == Kind::kReasoning || kind == Kind::kContent || kind == Kind::kCallArguments;
  if (joins && text.empty()) return;
  if (kind == Kind::kReasoning) reply_.reasoning += text;
  if (kind == Kind::kContent) reply_.content += text;
  if (joins && !events_.empty() && events_.back().kind == kind) {
    events_.back().text += text;
  } else {
    events_.push_back(ReplyEvent{kind, std::string(text)});
  }
}

}  // namespace levin::agent
