// A JSON scanner that is fed one byte at a time and says where the members of the outermost object
// begin and end. It checks the whole grammar (RFC 8259) but builds no values, so that the bytes of
// a member can be passed on untouched. No recursion: hostile nesting costs one byte a level.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace levin::agent {

class JsonScanner {
 public:
  // What one byte did. Several can hold at once: the `}` in `{"a":1}` ends a number and the object.
  enum Flag : uint8_t {
    kKeyBegin = 1,         // The opening quote of a key of the outermost object.
    kKeyEnd = 2,           // Its closing quote.
    kValueBegin = 4,       // The first byte of a member's value.
    kValueEnd = 8,         // The last byte of a member's value.
    kValueEndBefore = 16,  // The member's value (a number) ended before this byte.
    kDone = 32,            // The whole value is complete with this byte.
    kBad = 64,             // Not JSON; error() says why. Feed no more.
  };

  // Values nested deeper than this are refused: consumers of a call may recurse.
  static constexpr size_t kDepthMax = 256;

  // Takes one byte; returns Flags. Only containers are found complete by themselves: a number or a
  // literal as the outermost value is never kDone.
  unsigned feed(char byte);

  const std::string& error() const { return error_; }
  bool in_string() const {
    return state_ == State::kString || state_ == State::kEscape || state_ == State::kHex;
  }

 private:
  enum class State {
    kValue,
    kArrayFirst,
    kObjectFirst,
    kObjectKey,
    kColon,
    kAfterValue,
    kString,
    kEscape,
    kHex,
    kLiteral,
    kNumber,
  };
  // Where in the grammar of a number the last byte was.
  enum class Number {
    kMinus,
    kZero,
    kInteger,
    kPoint,
    kFraction,
    kExponent,
    kExponentSign,
    kPower
  };

  unsigned begin_value(char byte);
  unsigned begin_key(char byte);
  unsigned begin_container(char byte);
  unsigned end_value();
  unsigned after_value(char byte);
  unsigned close(char byte);
  unsigned in_string_byte(char byte);
  unsigned literal_byte(char byte);
  unsigned number_byte(char byte);
  bool advance_number(char byte);
  unsigned bad(std::string_view expected, char found);

  bool in_member() const { return stack_.size() == 1 && stack_[0] == '{'; }
  unsigned if_member(Flag flag) const { return in_member() ? static_cast<unsigned>(flag) : 0U; }

  State state_ = State::kValue;
  Number number_ = Number::kMinus;
  std::string stack_;              // One of "{[" for each open container.
  bool is_key_ = false;            // The string being read is a key.
  int hex_digits_ = 0;             // Still to come in \uXXXX.
  std::string_view literal_rest_;  // Of true, false, null.
  std::string error_;
};

// The bytes that a JSON string stands for. `quoted` is a string the scanner accepted, with its
// quotes. A surrogate without its partner becomes U+FFFD.
std::string unquote_json(std::string_view quoted);

// True when `text` is exactly one JSON object, with any whitespace around it.
bool is_json_object(std::string_view text);

}  // namespace levin::agent
