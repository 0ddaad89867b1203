#include "tools/truncate.h"

#include <algorithm>

#include "base/utf8.h"

namespace levin::tools {
namespace {

bool in_range(char c, unsigned char low, unsigned char high) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= low && byte <= high;
}

// Bytes of the escape sequence that begins at `at` (an ESC). ECMA-48, 5.4 and 5.6.
size_t escape_size(std::string_view text, size_t at) {
  size_t end = at + 1;
  if (end >= text.size()) return 1;
  const char kind = text[end];
  if (kind == '[') {
    ++end;
    while (end < text.size() && in_range(text[end], 0x20, 0x3F)) ++end;
    if (end < text.size() && in_range(text[end], 0x40, 0x7E)) ++end;
    return end - at;
  }
  if (kind == ']' || kind == 'P' || kind == '_' || kind == '^' || kind == 'X') {
    // A string up to BEL or ESC \; one that never ends stops at its line.
    for (++end; end < text.size() && text[end] != '\n'; ++end) {
      if (text[end] == '\a') return end + 1 - at;
      if (text[end] == '\x1B') return end + (text.substr(end + 1).starts_with('\\') ? 2U : 0U) - at;
    }
    return end - at;
  }
  while (end < text.size() && in_range(text[end], 0x20, 0x2F)) ++end;
  if (end < text.size() && in_range(text[end], 0x30, 0x7E)) ++end;
  return end - at;
}

std::string without_escapes(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '\x1B') {
      at += escape_size(text, at);
    } else {
      result += text[at++];
    }
  }
  return result;
}

// What a terminal line shows last: the text after the last carriage return that has any.
std::string_view last_state(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  return line.substr(line.rfind('\r') + 1);
}

}  // namespace

std::string clean_output(std::string_view raw) {
  const std::string text = without_escapes(raw);
  std::string result;
  std::string_view rest = text;
  for (;;) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    for (const char c : utf8_sanitize(last_state(rest.substr(0, end)))) {
      if (c == '\t' || (!in_range(c, 0x00, 0x1F) && c != '\x7F')) result += c;
    }
    if (end == rest.size()) return result;
    result += '\n';
    rest.remove_prefix(end + 1);
  }
}

Truncated truncate_middle(std::string_view text) {
  size_t head = text.size();
  size_t tail = text.size();  // Where the tail begins.
  const auto newlines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  const size_t lines = newlines + (text.empty() || text.ends_with('\n') ? 0 : 1);
  if (lines > kHeadLinesMax + kTailLinesMax) {
    head = 0;
    for (size_t count = 0; count < kHeadLinesMax; ++count) head = text.find('\n', head) + 1;
    tail = head;
    const size_t skipped = lines - kHeadLinesMax - kTailLinesMax;
    for (size_t count = 0; count < skipped; ++count) tail = text.find('\n', tail) + 1;
    --head;  // The newline is part of what is left out, as in a cut by bytes.
  }
  const size_t kept = head + (text.size() - tail);
  if (kept > kHeadBytesMax + kTailBytesMax) {
    // Without a cut by lines the two parts are one text that is cut twice.
    if (tail == text.size()) tail = 0;
    head = std::min(head, kHeadBytesMax);
    tail = std::max(tail, text.size() - std::min(text.size(), kTailBytesMax));
    while (head > 0 && in_range(text[head], 0x80, 0xBF)) --head;
    while (tail < text.size() && in_range(text[tail], 0x80, 0xBF)) ++tail;
  }
  if (head == text.size()) return {std::string(text), "", 0};
  return {std::string(text.substr(0, head)), std::string(text.substr(tail)), tail - head};
}

}  // namespace levin::tools
