// Texts made uniform for the middle levels of the matching ladder: line ends, trailing blanks, and
// odd kinds of quotes, dashes and spaces; always with the bytes that stand behind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/edit_match.h"

namespace levin::tools {

// A text made uniform, with the bytes that each of its bytes stands for.
struct MappedText {
  std::string text;
  std::vector<size_t> begin;
  std::vector<size_t> end;

  void push(char c, size_t from, size_t to) {
    text.push_back(c);
    begin.push_back(from);
    end.push_back(to);
  }
  void pop_blanks() {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
      text.pop_back();
      begin.pop_back();
      end.pop_back();
    }
  }
};

struct Uniform {
  bool trim_lines = false;  // Without blanks at line ends.
  bool fold = false;        // Quotes, dashes and spaces of one kind.
};

// Without a byte order mark; CRLF as one newline.
MappedText make_uniform(std::string_view bytes, Uniform how);

// One edit whose texts may hold other kinds of quotes, dashes and spaces than the file. Only what
// differs between its old and its new text is replaced: the rest keeps the file's own bytes.
class OddCharacters {
 public:
  // The views outlive it.
  OddCharacters(std::string_view file, std::string_view old_text, std::string_view new_text);

  // Where to look, and for what.
  const std::string& file_text() const { return mapped_.text; }
  const std::string& needle() const { return old_.text; }

  // The edit of the needle's occurrence at `at` in file_text().
  TextMatch match_at(size_t at, bool takes_line_end) const;

 private:
  // A word or a single byte of the part that differs; `old_at` is where it also stands there.
  struct Piece {
    size_t begin;
    size_t end;
    size_t old_at;
  };

  void pair_pieces();
  std::string spelled_as_in_file(std::string text, size_t at) const;
  std::string file_bytes(size_t at, size_t begin, size_t end) const;

  std::string_view file_;
  std::string_view old_text_;
  std::string_view new_text_;
  MappedText mapped_;
  MappedText old_;
  MappedText new_;
  size_t head_ = 0;  // Bytes at the beginning, and at the end, that old and new share.
  size_t tail_ = 0;
  std::vector<Piece> pieces_;  // Of the new text between them.
};

}  // namespace levin::tools
