// The lines of a text that match a pattern. Looks at the text as a whole where that finds the same
// lines, which is much faster than to ask of each line.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tools/regex.h"

namespace levin::tools {

// One thread.
class LineFinder {
 public:
  // Errors: as Regex::compile().
  static Result<LineFinder> create(std::string_view pattern, bool literal);

  // Calls `found` for each line that matches, in order, with its number (from 1) and its bytes
  // without the line break; CRLF counts as one. A byte order mark is no part of the first line.
  void find(std::string_view text, const std::function<void(size_t, std::string_view)>& found);

  // Some lines took more than the limit and count as no match.
  bool gave_up() const { return line_.gave_up(); }

 private:
  LineFinder(Regex line, std::optional<Regex> text, std::string plain)
      : line_(std::move(line)), text_(std::move(text)), plain_(std::move(plain)) {}

  std::optional<size_t> candidate(std::string_view text, size_t start);
  void find_one_by_one(std::string_view text, size_t start, size_t number,
                       const std::function<void(size_t, std::string_view)>& found);

  Regex line_;
  // Finds where the next line that matches can be, at the earliest. Absent: the pattern could tell
  // a text from its lines.
  std::optional<Regex> text_;
  std::string plain_;  // Not empty: what to find is these bytes.
};

}  // namespace levin::tools
