// Which paths git would ignore, from the text of .gitignore files. No files are looked at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/glob.h"

namespace levin::tools {

// What rules say about a path.
enum class Verdict {
  kNone,     // Nothing.
  kIgnored,  // Leave it out.
  kNamed,    // Keep it: a rule with `!` names it.
};

// The rules in force in one folder: those of the folders above, then its own.
class IgnoreRules {
 public:
  // Adds the rules of a .gitignore that lies in `folder` ("" or "a/b", relative to the workspace).
  void add(std::string_view text, std::string_view folder);

  // Of a path relative to the workspace whose parent folders are not ignored: the last rule that
  // matches decides.
  Verdict verdict(std::string_view path, bool is_folder) const;
  bool ignored(std::string_view path, bool is_folder) const {
    return verdict(path, is_folder) == Verdict::kIgnored;
  }

 private:
  struct Rule {
    Glob glob;
    std::string base;  // "" or "a/b/": the rule sees what follows.
    bool negated = false;
    bool folders_only = false;
    bool whole_path = false;  // Else the last component alone.
  };
  std::vector<Rule> rules_;
};

}  // namespace levin::tools
