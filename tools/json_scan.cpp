#include "tools/json_scan.h"

#include "base/utf8.h"

namespace levin::tools {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  JsonProblem run() {
    skip_space();
    if (value(0)) {
      skip_space();
      if (at_ < text_.size()) fail("text after the value");
    }
    return problem_;
  }

 private:
  bool done() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }

  bool fail(std::string what) {
    problem_ = {true, done(), at_, key_, done() ? std::string() : std::move(what)};
    return false;
  }

  void skip_space() {
    while (!done() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }

  bool value(int depth) {
    if (done()) return fail("");
    if (depth >= kJsonDepthMax) return fail("nested too deep");
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return string(nullptr);
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool word(std::string_view expected) {
    for (const char c : expected) {
      if (done() || peek() != c) return fail("expected a value");
      ++at_;
    }
    return true;
  }

  bool digits() {
    if (done() || !is_digit(peek())) return fail("expected a digit");
    while (!done() && is_digit(peek())) ++at_;
    return true;
  }

  bool number() {
    if (peek() != '-' && !is_digit(peek())) return fail("expected a value");
    if (peek() == '-') ++at_;
    if (!done() && peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return false;
    }
    if (!done() && peek() == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (!done() && (peek() == 'e' || peek() == 'E')) {
      ++at_;
      if (!done() && (peek() == '+' || peek() == '-')) ++at_;
      if (!digits()) return false;
    }
    return true;
  }

  bool hex4(unsigned& unit) {
    unit = 0;
    for (int index = 0; index < 4; ++index, ++at_) {
      if (done()) return fail("");
      const char c = peek();
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit(c) && (lower < 'a' || lower > 'f')) return fail("bad \\u escape");
      unit = unit * 16 + static_cast<unsigned>(is_digit(c) ? c - '0' : lower - 'a' + 10);
    }
    return true;
  }

  bool escape() {
    ++at_;
    if (done()) return fail("");
    if (peek() != 'u') {
      constexpr std::string_view kKnown = "\"\\/bfnrt";
      if (kKnown.find(peek()) == std::string_view::npos) return fail("bad escape");
      ++at_;
      return true;
    }
    ++at_;
    unsigned unit = 0;
    if (!hex4(unit)) return false;
    if (unit < 0xD800 || unit > 0xDFFF) return true;
    if (unit >= 0xDC00) return fail("half of a \\u pair");
    for (const char c : {'\\', 'u'}) {
      if (done() || peek() != c) return fail("half of a \\u pair");
      ++at_;
    }
    if (!hex4(unit)) return false;
    return (unit >= 0xDC00 && unit <= 0xDFFF) || fail("half of a \\u pair");
  }

  // `content`, when given, receives the raw text between the quotes.
  bool string(std::string* content) {
    const size_t begin = ++at_;
    while (!done() && peek() != '"') {
      if (peek() == '\\') {
        if (!escape()) return false;
      } else if (static_cast<unsigned char>(peek()) < 0x20) {
        return fail("control character in a string; write \\n or \\t");
      } else {
        const int size = utf8_character_size(text_.substr(at_));
        if (size < 0) at_ = text_.size();
        if (size <= 0) return fail("broken UTF-8");
        at_ += static_cast<size_t>(size);
      }
    }
    if (done()) return fail("");
    if (content != nullptr) *content = std::string(text_.substr(begin, at_ - begin));
    ++at_;
    return true;
  }

  bool object(int depth) {
    ++at_;
    skip_space();
    if (!done() && peek() == '}') return ++at_, true;
    const std::string outer = key_;
    for (;;) {
      skip_space();
      if (done() || peek() != '"') return fail("expected a key in quotes");
      if (!string(&key_)) return false;
      skip_space();
      if (done() || peek() != ':') return fail("expected \":\"");
      ++at_;
      skip_space();
      if (!value(depth + 1)) return false;
      skip_space();
      if (!done() && peek() == '}') break;
      if (done() || peek() != ',') return fail("expected \",\" or \"}\"");
      ++at_;
    }
    ++at_;
    key_ = outer;
    return true;
  }

  bool array(int depth) {
    ++at_;
    skip_space();
    if (!done() && peek() == ']') return ++at_, true;
    for (;;) {
      skip_space();
      if (!value(depth + 1)) return false;
      skip_space();
      if (!done() && peek() == ']') return ++at_, true;
      if (done() || peek() != ',') return fail("expected \",\" or \"]\"");
      ++at_;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string key_;
  JsonProblem problem_;
};

}  // namespace

JsonProblem scan_json(std::string_view text) {
  return Scanner(text).run();
}

}  // namespace levin::tools
