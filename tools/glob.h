// Shell-like patterns over paths: ? * ** [a-z] {a,b} and backslash. No files are looked at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace levin::tools {

// One compiled pattern. Time to match is pattern size times text size, whatever the pattern.
class Glob {
 public:
  // `*`, `?` and classes do not match `/`; a whole component `**` matches any number of components.
  explicit Glob(std::string_view pattern);

  bool matches(std::string_view path) const;

 private:
  enum class Kind { kLiteral, kAny, kStar, kFolders, kEverything, kClass };
  struct Token {
    Kind kind = Kind::kLiteral;
    char literal = 0;
    bool negated = false;
    std::string members;  // For kClass: all bytes it stands for.
  };

  size_t read_class(std::string_view pattern, size_t at);
  void find_simple_form();
  void spread(std::vector<char>& states, bool at_component_start) const;

  std::vector<Token> tokens_;
  // Patterns of one star and literals, which most are: `*.o`, `build`, `a*b`.
  bool simple_ = false;
  bool has_star_ = false;
  std::string before_;
  std::string after_;
};

// `a.{c,h}` as `a.c`, `a.h`; at most 256 patterns, nested braces included. Unbalanced braces are
// ordinary characters.
std::vector<std::string> expand_braces(std::string_view pattern);

// What a user means by a glob: without `/` it is matched against the last component, else against
// the whole path. Braces are expanded. `!glob` leaves out what matches, folders with all in them;
// `folder/` means all in it. The empty one matches everything.
class PathFilter {
 public:
  explicit PathFilter(std::string_view glob);

  // Of a file.
  bool matches(std::string_view path) const;
  // Of a folder: nothing in it can match.
  bool excludes(std::string_view folder) const { return negated_ && any(folder); }

 private:
  struct Alternative {
    Glob glob;
    bool whole_path;
  };
  bool any(std::string_view path) const;

  std::vector<Alternative> alternatives_;
  bool negated_ = false;
};

}  // namespace levin::tools
