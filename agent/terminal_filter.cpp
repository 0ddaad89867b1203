#include "agent/terminal_filter.h"

#include <cstdint>

#include "base/utf8.h"

namespace levin::agent {
namespace {

// A sequence that does not end is none: beyond this, or at a line break, text is text again.
constexpr size_t kSequenceBytesMax = 256;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The code point of a valid character.
uint32_t code_point(std::string_view character) {
  const auto byte = [&](size_t index) { return static_cast<unsigned char>(character[index]); };
  if (character.size() == 1) return byte(0);
  uint32_t code = byte(0) & (0xFFU >> (character.size() + 1));
  for (size_t index = 1; index < character.size(); ++index) code = code << 6 | (byte(index) & 0x3F);
  return code;
}

bool is_hidden(uint32_t code) {
  if (code < 0x20) return code != '\n' && code != '\t';
  if (code >= 0x7F && code < 0xA0) return true;  // DEL and the C1 controls.
  const bool bidirectional = code == 0x200E || code == 0x200F || code == 0x061C ||
                             (code >= 0x202A && code <= 0x202E) ||
                             (code >= 0x2066 && code <= 0x2069);
  // Of no width: two texts that look alike may differ by them.
  const bool is_invisible = code == 0xAD || code == 0x180E || (code >= 0x200B && code <= 0x200D) ||
                            (code >= 0x2060 && code <= 0x2064) || code == 0xFEFF ||
                            (code >= 0xE0000 && code <= 0xE007F);
  return bidirectional || is_invisible || code == 0x2028 || code == 0x2029;
}

}  // namespace

std::string TerminalFilter::push(std::string_view bytes) {
  std::string joined;
  if (!pending_.empty()) {
    joined = pending_ + std::string(bytes);
    bytes = joined;
    pending_.clear();
  }
  std::string out;
  while (!bytes.empty()) {
    const int size = utf8_character_size(bytes);
    if (size < 0) {
      pending_ = bytes;
      break;
    }
    const size_t length = size == 0 ? 1 : static_cast<size_t>(size);
    take(size == 0 ? kReplacement : bytes.substr(0, length), out);
    bytes.remove_prefix(length);
  }
  return out;
}

std::string TerminalFilter::finish() {
  std::string out;
  if (!pending_.empty()) take(kReplacement, out);
  *this = TerminalFilter();
  return out;
}

void TerminalFilter::take(std::string_view character, std::string& out) {
  if (state_ != State::kText && in_sequence(character)) return;
  const uint32_t code = code_point(character);
  sequence_bytes_ = 0;
  if (code == 0x1B) {
    state_ = State::kEscape;
  } else if (code == 0x9B) {
    state_ = State::kControlSequence;
  } else if (code == 0x9D || code == 0x90 || code == 0x9E || code == 0x9F || code == 0x98) {
    state_ = State::kString;
  } else if (!is_hidden(code)) {
    out += character;
  }
}

// True when `character` belongs to the escape sequence that has begun (ECMA-48).
bool TerminalFilter::in_sequence(std::string_view character) {
  const uint32_t code = code_point(character);
  sequence_bytes_ += character.size();
  if (code == '\n' || sequence_bytes_ > kSequenceBytesMax) {
    state_ = State::kText;
    return false;
  }
  switch (state_) {
    case State::kEscape:
      if (code == '[') {
        state_ = State::kControlSequence;
      } else if (code == ']' || code == 'P' || code == 'X' || code == '^' || code == '_') {
        state_ = State::kString;
      } else if (code < 0x20 || code > 0x2F) {  // Intermediates are followed by one final byte.
        state_ = State::kText;
        return code >= 0x30 && code < 0x7F;
      }
      return true;
    case State::kControlSequence:
      if (code >= 0x20 && code < 0x40) return true;
      state_ = State::kText;
      return code >= 0x40 && code < 0x7F;
    case State::kString:
      if (code == 0x1B) state_ = State::kStringEscape;
      if (code == 0x07 || code == 0x9C) state_ = State::kText;
      return true;
    case State::kStringEscape:
      state_ = code == '\\' ? State::kText : State::kString;
      return true;
    case State::kText:
      break;
  }
  return false;
}

std::string printable(std::string_view bytes) {
  TerminalFilter filter;
  std::string out = filter.push(bytes);
  return out + filter.finish();
}

}  // namespace levin::agent
