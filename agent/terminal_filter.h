// Makes text from a model, a file or a command safe to show: nothing in it can move the cursor,
// change colours, set the title or reorder what is read. Stateful, since sequences may be split
// over pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace levin::agent {

class TerminalFilter {
 public:
  // Returns the printable part: newline, tab and whole characters that are no controls. Escape
  // sequences are dropped as a whole. Bidirectional overrides are dropped: they can make a line
  // show something else than it says; so can characters of no width.
  std::string push(std::string_view bytes);
  // The text is over: a cut character becomes U+FFFD. Ready for the next text.
  std::string finish();

 private:
  enum class State { kText, kEscape, kControlSequence, kString, kStringEscape };

  void take(std::string_view character, std::string& out);
  bool in_sequence(std::string_view character);

  State state_ = State::kText;
  size_t sequence_bytes_ = 0;
  std::string pending_;  // At most 3 bytes of an unfinished character.
};

// All of one text at once.
std::string printable(std::string_view bytes);

}  // namespace levin::agent
