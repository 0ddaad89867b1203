// ShellReader: the lexical part of shell_text.h: words with their quoting and expansions, blanks,
// comments, redirections, here-documents. Commands inside of words are handed to callbacks.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/shell_text.h"

namespace levin::agent {

class ShellReader {
 public:
  explicit ShellReader(std::string_view text) : text_(text) {}

  // Reads the commands of a substitution, from behind its '(' to behind `end`.
  std::function<Result<void>(char end)> nested_list;
  // Reads a text by itself: commands, or, when `is_quoted`, text between double quotes.
  std::function<Result<void>(const std::string& text, bool is_quoted)> nested_text;

  bool at_end() const { return position_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[position_]; }
  bool starts_with(std::string_view prefix) const {
    return text_.substr(position_).starts_with(prefix);
  }
  size_t position() const { return position_; }
  std::string_view text_from(size_t start) const {  // Up to here, as it was written.
    return text_.substr(start, position_ - start);
  }
  void skip(size_t count) { position_ += count; }

  // Blanks, comments and joined lines; skip_lines() also newlines, and the here-documents there.
  void skip_blanks();
  Result<void> skip_lines();

  // Whether a word begins here. What ends one: blanks and operators.
  bool at_word() const;
  // The reserved word that stands here; empty for none.
  std::string_view peek_keyword() const;
  Result<ShellWord> word();

  // NAME=value, NAME=(...): the name; empty, and nothing skipped, when there is none here.
  Result<std::string> skip_assignment();
  Result<void> skip_array();  // From its '('.
  Result<bool> skip_redirection();
  // From "((" to behind "))"; false, and nothing skipped, when it is a subshell in a subshell.
  Result<bool> skip_arithmetic();
  Result<void> skip_condition();  // From behind "[[" to behind "]]".
  // All of the text as if it stood between double quotes (the body of a here-document).
  Result<void> skip_quoted_text();

  size_t pending_heredocs() const { return heredocs_.size(); }

  Error fail(const std::string& what) const;
  Error limit(const std::string& what) const { return Error(ErrorCode::kLimit, what); }

 private:
  struct Heredoc {
    std::string delimiter;
    bool strips_tabs = false;
    bool is_quoted = false;
  };
  struct Building;  // A word as it grows.

  char at(size_t offset) const {
    return position_ + offset < text_.size() ? text_[position_ + offset] : '\0';
  }
  Result<void> word_part(Building& word);
  Result<void> single_quotes(Building& word);
  Result<void> ansi_quotes(Building& word);
  Result<void> double_quotes(Building& word);
  Result<void> expansion(Building& word, bool is_quoted);
  Result<void> parameter(bool is_quoted);
  Result<void> backticks();
  Result<void> read_heredoc(const Heredoc& heredoc);

  std::string_view text_;
  size_t position_ = 0;
  std::vector<Heredoc> heredocs_;  // Whose bodies begin at the next newline.
};

}  // namespace levin::agent
