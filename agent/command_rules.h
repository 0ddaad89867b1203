// Which commands may run without being asked for: rules by the beginning of a command, from the
// user's file and the project's. A convenience in front of the sandbox, not the wall: what a
// program does in turn is not seen here. Format: docs/formats/policy.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/shell_text.h"
#include "base/result.h"

namespace levin::agent {

inline constexpr size_t kRulesBytesMax = size_t{1} << 20;  // Of one file.
inline constexpr size_t kRulesMax = 1000;                  // Of one file.

enum class Decision { kAllow, kAsk, kDeny };  // Ordered: the later is the stricter.
std::string_view decision_name(Decision decision);

struct CommandRule {
  int number = 0;                                // From 1, through all files.
  std::vector<std::vector<std::string>> prefix;  // Word by word; alternatives of each.
  Decision decision = Decision::kAsk;
  std::string reason;  // For the model and the user; may be empty.
  std::string place;   // "FILE:LINE"
};

// One file.
struct RuleLayer {
  std::string file;
  Decision fallback = Decision::kAllow;  // For a command that no rule of this file matches.
  std::vector<CommandRule> rules;
};

// Reads one file's text and checks every rule against its own examples. `first_number` is that of
// its first rule. Errors: kInvalidArgument with file, line and rule.
Result<RuleLayer> parse_rules(std::string_view text, const std::string& file, int first_number);

enum class Match { kNo, kMaybe, kYes };
Match match_rule(const CommandRule& rule, const SimpleCommand& command);

struct Verdict {
  Decision decision = Decision::kAllow;
  const CommandRule* rule = nullptr;  // Null when no rule decided.
  std::string command;                // The simple command that decided.
  std::string reason;                 // Why, in words; may be empty.
};

class CommandRules {
 public:
  CommandRules() = default;
  explicit CommandRules(std::vector<RuleLayer> layers) : layers_(std::move(layers)) {}

  // The files that exist, in this order; later ones can only make things stricter. Errors: kIo,
  // kLimit, and those of parse_rules().
  static Result<CommandRules> load(const std::vector<std::string>& files);

  bool empty() const;
  const std::vector<RuleLayer>& layers() const { return layers_; }
  // Of everything that decides; the same for equal files. 16 hex digits.
  const std::string& hash() const { return hash_; }

  // The strictest decision over all files and all commands that the text starts. A text that cannot
  // be read is asked for, unless there is nothing to decide. Valid while this lives.
  Verdict decide(std::string_view text) const;

 private:
  std::vector<RuleLayer> layers_;
  std::string hash_ = "0000000000000000";
};

// What a model is told when nobody can be asked; empty when the command may run.
std::string denial_text(std::string_view command, const Verdict& verdict);

// Below the configuration folder, and below the workspace.
inline constexpr const char* kRulesFile = "policy.toml";
inline constexpr const char* kProjectFolder = ".levin";

}  // namespace levin::agent
