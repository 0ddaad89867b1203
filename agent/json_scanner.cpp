#include "agent/json_scanner.h"

#include <cstdint>

namespace levin::agent {
namespace {

bool is_space(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}
bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

int hex_value(char byte) {
  if (is_digit(byte)) return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

// A byte as a person reads it in an error message.
std::string show_byte(char byte) {
  if (byte == '\n') return "a line break";
  const auto code = static_cast<unsigned char>(byte);
  if (code >= 0x20 && code < 0x7F) return "'" + std::string(1, byte) + "'";
  constexpr std::string_view kHex = "0123456789abcdef";
  return std::string("byte 0x") + kHex[code >> 4] + kHex[code & 15];
}

void append_utf8(std::string& out, uint32_t code) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// The four hex digits at `position`; the scanner has checked that they are there.
uint32_t read_hex4(std::string_view text, size_t position) {
  uint32_t code = 0;
  for (size_t index = 0; index < 4; ++index) {
    code = code * 16 + static_cast<uint32_t>(hex_value(text[position + index]));
  }
  return code;
}

}  // namespace

unsigned JsonScanner::feed(char byte) {
  switch (state_) {
    case State::kString:
    case State::kEscape:
    case State::kHex:
      return in_string_byte(byte);
    case State::kLiteral:
      return literal_byte(byte);
    case State::kNumber:
      return number_byte(byte);
    default:
      break;
  }
  if (is_space(byte)) return 0;
  switch (state_) {
    case State::kArrayFirst:
      return byte == ']' ? close(byte) : begin_value(byte);
    case State::kObjectFirst:
      return byte == '}' ? close(byte) : begin_key(byte);
    case State::kObjectKey:
      return begin_key(byte);
    case State::kColon:
      if (byte != ':') return bad("':' after a key", byte);
      state_ = State::kValue;
      return 0;
    case State::kAfterValue:
      return after_value(byte);
    default:
      return begin_value(byte);
  }
}

unsigned JsonScanner::begin_key(char byte) {
  if (byte != '"') return bad("a key in double quotes", byte);
  state_ = State::kString;
  is_key_ = true;
  return if_member(kKeyBegin);
}

unsigned JsonScanner::begin_value(char byte) {
  const unsigned flags = if_member(kValueBegin);
  if (byte == '{' || byte == '[') return flags | begin_container(byte);
  if (byte == '"') {
    state_ = State::kString;
    is_key_ = false;
  } else if (byte == 't' || byte == 'f' || byte == 'n') {
    state_ = State::kLiteral;
    literal_rest_ = byte == 't' ? "rue" : byte == 'f' ? "alse" : "ull";
  } else if (byte == '-' || is_digit(byte)) {
    state_ = State::kNumber;
    number_ = byte == '-' ? Number::kMinus : byte == '0' ? Number::kZero : Number::kInteger;
  } else {
    return bad("a value", byte);
  }
  return flags;
}

unsigned JsonScanner::begin_container(char byte) {
  if (stack_.size() == kDepthMax) return bad("at most 256 nested values", byte);
  stack_ += byte;
  state_ = byte == '{' ? State::kObjectFirst : State::kArrayFirst;
  return 0;
}

unsigned JsonScanner::end_value() {
  state_ = State::kAfterValue;
  if (stack_.empty()) return kDone;
  return if_member(kValueEnd);
}

unsigned JsonScanner::after_value(char byte) {
  if (byte == ',') {
    state_ = stack_.back() == '{' ? State::kObjectKey : State::kValue;
    return 0;
  }
  const char closer = stack_.back() == '{' ? '}' : ']';
  if (byte == closer) return close(byte);
  return bad(closer == '}' ? "',' or '}' after a value" : "',' or ']' after a value", byte);
}

unsigned JsonScanner::close(char) {
  stack_.pop_back();
  return end_value();
}

unsigned JsonScanner::in_string_byte(char byte) {
  if (state_ == State::kEscape) {
    constexpr std::string_view kEscapes = "\"\\/bfnrtu";
    if (kEscapes.find(byte) == std::string_view::npos) {
      return bad("one of \"\\/bfnrtu after a backslash", byte);
    }
    state_ = byte == 'u' ? State::kHex : State::kString;
    hex_digits_ = 4;
    return 0;
  }
  if (state_ == State::kHex) {
    if (hex_value(byte) < 0) return bad("four hex digits after \\u", byte);
    if (--hex_digits_ == 0) state_ = State::kString;
    return 0;
  }
  if (static_cast<unsigned char>(byte) < 0x20) {
    return bad("the closing quote of a string (control characters must be escaped)", byte);
  }
  if (byte == '\\') state_ = State::kEscape;
  if (byte != '"') return 0;
  if (!is_key_) return end_value();
  state_ = State::kColon;
  return if_member(kKeyEnd);
}

unsigned JsonScanner::literal_byte(char byte) {
  if (byte != literal_rest_.front()) return bad("true, false or null", byte);
  literal_rest_.remove_prefix(1);
  return literal_rest_.empty() ? end_value() : 0U;
}

unsigned JsonScanner::number_byte(char byte) {
  if (advance_number(byte)) return 0;
  const bool complete = number_ == Number::kZero || number_ == Number::kInteger ||
                        number_ == Number::kFraction || number_ == Number::kPower;
  if (!complete || is_digit(byte)) return bad("a number as JSON writes it", byte);
  if (stack_.empty()) return bad("an object", byte);
  const unsigned flags = if_member(kValueEndBefore);
  state_ = State::kAfterValue;
  return flags | (is_space(byte) ? 0U : after_value(byte));
}

bool JsonScanner::advance_number(char byte) {
  const auto go = [&](Number next) {
    number_ = next;
    return true;
  };
  const bool digit = is_digit(byte);
  const bool exponent = byte == 'e' || byte == 'E';
  switch (number_) {
    case Number::kMinus:
      return digit && go(byte == '0' ? Number::kZero : Number::kInteger);
    case Number::kZero:
      return (byte == '.' && go(Number::kPoint)) || (exponent && go(Number::kExponent));
    case Number::kInteger:
      return digit || (byte == '.' && go(Number::kPoint)) || (exponent && go(Number::kExponent));
    case Number::kPoint:
      return digit && go(Number::kFraction);
    case Number::kFraction:
      return digit || (exponent && go(Number::kExponent));
    case Number::kExponent:
      if (byte == '+' || byte == '-') return go(Number::kExponentSign);
      return digit && go(Number::kPower);
    case Number::kExponentSign:
      return digit && go(Number::kPower);
    case Number::kPower:
      return digit;
  }
  return false;
}

unsigned JsonScanner::bad(std::string_view expected, char found) {
  error_ = "expected " + std::string(expected) + ", found " + show_byte(found);
  return kBad;
}

std::string unquote_json(std::string_view quoted) {
  std::string out;
  if (quoted.size() < 2) return out;
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  for (size_t position = 0; position < text.size(); ++position) {
    if (text[position] != '\\') {
      out += text[position];
      continue;
    }
    const char kind = text[++position];
    if (kind != 'u') {
      constexpr std::string_view kFrom = "bfnrt";
      constexpr std::string_view kTo = "\b\f\n\r\t";
      const size_t index = kFrom.find(kind);
      out += index == std::string_view::npos ? kind : kTo[index];
      continue;
    }
    uint32_t code = read_hex4(text, position + 1);
    position += 4;
    const bool high = code >= 0xD800 && code < 0xDC00;
    if (high && text.substr(position + 1, 2) == "\\u") {
      const uint32_t low = read_hex4(text, position + 3);
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        position += 6;
      }
    }
    append_utf8(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
  }
  return out;
}

bool is_json_object(std::string_view text) {
  size_t position = 0;
  while (position < text.size() && is_space(text[position])) ++position;
  if (position == text.size() || text[position] != '{') return false;
  JsonScanner scanner;
  for (; position < text.size(); ++position) {
    const unsigned flags = scanner.feed(text[position]);
    if (flags & JsonScanner::kBad) return false;
    if (flags & JsonScanner::kDone) break;
  }
  if (position == text.size()) return false;
  while (++position < text.size()) {
    if (!is_space(text[position])) return false;
  }
  return true;
}

}  // namespace levin::agent
