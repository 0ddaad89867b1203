// levin policy check [-- command]: which rule decides about a command, and whether the rule files
// can be read at all.
#include <filesystem>
#include <iostream>

#include "agent/command_rules.h"
#include "agent/commands.h"
#include "agent/git_workspace.h"
#include "agent/terminal_filter.h"
#include "agent/wiring.h"

namespace levin::agent {
namespace {

// One argument is shell text, as a model gives it; several are the words of one command.
std::string shell_text(const std::vector<std::string>& words) {
  if (words.size() == 1) return words.front();
  std::string text;
  for (const std::string& word : words) {
    std::string quoted;
    for (const char byte : word) quoted += byte == '\'' ? "'\\''" : std::string(1, byte);
    text += (text.empty() ? "'" : " '") + quoted + "'";
  }
  return text;
}

Result<CommandRules> rules_here() {
  TRY_ASSIGN(const std::string work_tree, find_work_tree(std::filesystem::current_path().string()));
  return load_command_rules(work_tree);
}

}  // namespace

int command_policy_check(const std::vector<std::string>& words) {
  const Result<CommandRules> rules = rules_here();
  if (!rules) {
    std::cerr << "levin policy: " << rules.error().message() << std::endl;
    return 2;
  }
  if (words.empty()) {
    for (const RuleLayer& layer : rules->layers()) {
      std::cout << printable(layer.file) << ": " << layer.rules.size() << " rules, otherwise "
                << decision_name(layer.fallback) << "\n";
    }
    if (rules->layers().empty()) std::cout << "no rule files: every command is allowed\n";
    return 0;
  }
  const Verdict verdict = rules->decide(shell_text(words));
  std::cout << decision_name(verdict.decision);
  if (verdict.rule != nullptr) {
    std::cout << ": rule " << verdict.rule->number << " (" << printable(verdict.rule->place) << ")";
  } else if (verdict.reason.empty()) {
    std::cout << ": no rule matches";
  }
  if (!verdict.command.empty()) std::cout << ": " << printable(verdict.command);
  if (!verdict.reason.empty()) std::cout << ": " << printable(verdict.reason);
  std::cout << std::endl;
  return verdict.decision == Decision::kAllow ? 0 : 4;
}

}  // namespace levin::agent
