// Finds the text that an edit names, exactly or in one of nine forgiving ways. A forgiving match
// never guesses by likeness: it undoes one known slip (line ends, spaces, indentation ...), and
// what is replaced is always a run of real file bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace levin::tools {

// Levels in the order they are tried.
enum MatchLevel {
  kNoMatch = 0,
  kExact = 1,
  kLineEnds = 2,  // CRLF and byte order mark.
  kTrailingSpace = 3,
  kOuterBlankLines = 4,  // Blank lines before and after.
  kLineNumbers = 5,      // The prefix that `read` shows, on every line.
  kOddCharacters = 6,    // Kinds of quotes, dashes and spaces.
  kOverEscaped = 7,      // \n and \" where the characters were meant.
  kIndentation = 8,      // Whole lines; the new text takes the file's indentation.
  kSpacing = 9,          // Whole lines; blanks between tokens.
  kElision = 10,         // Lines `...` stand for lines of the file.
};

// Above this size only exact matches are looked for: the other levels keep a map of the whole file.
inline constexpr size_t kLooseFileBytesMax = size_t{4} << 20;

struct TextMatch {
  size_t begin = 0;  // Bytes of the file that go.
  size_t end = 0;
  std::string replacement;  // What comes, in the file's line ends.
};

// What a match must be besides equal.
enum class Scope {
  kAnywhere,    // Any run of bytes.
  kWholeLines,  // Lines from their beginning to their end; both texts are lines with their
                // newlines.
};

struct MatchResult {
  int level = kNoMatch;
  std::vector<TextMatch> matches;  // In file order.
};

// All matches of the first level that has any. `old_text` is not empty. For whole lines the level
// kElision is left out. Matches overlap only where `overlapping` asks for them, which whoever needs
// a single place must: `}}` stands twice in `}}}`.
MatchResult find_matches(std::string_view file, std::string_view old_text,
                         std::string_view new_text, Scope scope = Scope::kAnywhere,
                         bool overlapping = false);

// "ignoring trailing space" and so on; for levels from kLineEnds.
std::string_view level_name(int level);

}  // namespace levin::tools
