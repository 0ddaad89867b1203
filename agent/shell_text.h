// Reads shell text (bash) as far as needed to know which programs it starts: a flat list of simple
// commands, from every pipe, list, subshell, loop, function body and substitution. Nothing is
// expanded; a word that an expansion decides is marked so. Knows no rules (agent/command_rules.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace levin::agent {

inline constexpr size_t kShellBytesMax = size_t{256} << 10;
inline constexpr int kShellDepthMax = 40;  // Of substitutions and compound commands in each other.
inline constexpr size_t kShellCommandsMax = 4096;

struct ShellWord {
  enum class Kind {
    kFixed,    // `text` is the word.
    kPattern,  // A glob: `text` is the pattern, with what was quoted escaped by backslashes.
    kOpen,     // Decided when it runs (a variable, a substitution, braces, ~): `text` is its start.
  };
  Kind kind = Kind::kFixed;
  std::string text;
};

struct SimpleCommand {
  std::vector<std::string> assigned;  // Names of variables set for this command alone.
  std::vector<ShellWord> words;       // Program and arguments; empty for a bare assignment.
  bool takes_more = false;            // Further arguments come when it runs (xargs).
};

// Errors: kInvalidArgument when the text cannot be read with certainty, with the reason and where;
// kLimit for one that is too long or too deep.
Result<std::vector<SimpleCommand>> parse_shell(std::string_view text);

// The same, and what the commands start in turn: `sh -c TEXT`, `eval TEXT`, `env`, `nice`,
// `timeout`, `sudo`, `xargs`, `find -exec` and the like are followed into. The outer command stays
// in the list, before the inner one. Errors: as above, and for a text that is only known when it
// runs.
Result<std::vector<SimpleCommand>> commands_of(std::string_view text);

// The words joined by blanks; what is not known is shown as "...".
std::string shown_command(const SimpleCommand& command);

}  // namespace levin::agent
