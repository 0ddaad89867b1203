#include "agent/command_rules.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "base/file_io.h"
#include "base/utf8.h"

namespace levin::agent {
namespace {

constexpr size_t kShownBytesMax = 200;  // Of a command in a message.

// Folders whose programs are what their name says; an `allow` for "ls" must not mean "./ls".
constexpr std::array<std::string_view, 6> kSystemFolders = {
    "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"};

// Variables that choose which program a name means, or what it loads.
constexpr std::array<std::string_view, 8> kSteering = {
    "PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "BASH_ENV", "ENV", "IFS", "PYTHONPATH"};

bool is_steered(const SimpleCommand& command) {
  return std::any_of(command.assigned.begin(), command.assigned.end(), [](const auto& name) {
    return name.starts_with("GIT_") ||
           std::find(kSteering.begin(), kSteering.end(), name) != kSteering.end();
  });
}

Match match_word(const std::string& wanted, const ShellWord& word) {
  switch (word.kind) {
    case ShellWord::Kind::kFixed:
      return word.text == wanted ? Match::kYes : Match::kNo;
    case ShellWord::Kind::kPattern:
      return ::fnmatch(word.text.c_str(), wanted.c_str(), 0) == 0 ? Match::kMaybe : Match::kNo;
    case ShellWord::Kind::kOpen:
      return wanted.starts_with(word.text) ? Match::kMaybe : Match::kNo;
  }
  return Match::kNo;
}

// A program named by its path: as it stands, or by its last part.
Match match_program(const std::string& wanted, const ShellWord& word) {
  const Match whole = match_word(wanted, word);
  const size_t slash = word.text.rfind('/');
  if (whole != Match::kNo || slash == std::string::npos || wanted.find('/') != std::string::npos) {
    return whole;
  }
  ShellWord last = word;
  last.text.erase(0, slash + 1);
  const Match match = match_word(wanted, last);
  if (match == Match::kNo) return match;
  const std::string folder = word.text.substr(0, slash + 1);
  const bool is_system =
      std::find(kSystemFolders.begin(), kSystemFolders.end(), folder) != kSystemFolders.end();
  return is_system ? match : Match::kMaybe;
}

// Programs whose subcommand may stand behind options of their own, and those of the options that
// take the next word as their value.
struct GlobalOptions {
  std::string_view program;
  std::array<std::string_view, 12> with_value;
};
constexpr std::array<GlobalOptions, 9> kGlobalOptions = {
    {{"git",
      {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--config-env",
       "--attr-source"}},
     {"npm",
      {"--prefix", "-C", "--workspace", "-w", "--registry", "--cache", "--userconfig",
       "--loglevel"}},
     {"pnpm", {"-C", "--dir", "--filter", "-F", "--prefix"}},
     {"yarn", {"--cwd"}},
     {"cargo", {"-C", "--config", "-Z", "--color", "--manifest-path"}},
     {"go", {"-C"}},
     {"pip", {"--python", "--log", "--proxy", "--cache-dir"}},
     {"docker", {"-H", "--host", "-c", "--context", "--config", "-l", "--log-level"}},
     {"kubectl", {"-n", "--namespace", "--context", "--kubeconfig", "-s", "--server"}}}};

// `command` without the options between a program and its subcommand; absent when there are none.
// `git -C x push` is `git push` then. Only for rules that make things stricter: such an option may
// well steer what the subcommand does.
std::optional<SimpleCommand> without_global_options(const SimpleCommand& command) {
  if (command.words.empty() || command.words[0].kind != ShellWord::Kind::kFixed) return {};
  const std::string& path = command.words[0].text;
  const std::string name = path.substr(path.rfind('/') + 1);
  const auto known = std::find_if(kGlobalOptions.begin(), kGlobalOptions.end(),
                                  [&](const auto& entry) { return entry.program == name; });
  if (known == kGlobalOptions.end()) return {};
  size_t index = 1;
  while (index < command.words.size() && command.words[index].text.starts_with('-')) {
    const ShellWord& word = command.words[index++];
    const auto& list = known->with_value;
    const bool takes_next =
        !word.text.empty() && std::find(list.begin(), list.end(), word.text) != list.end();
    if (takes_next) ++index;
  }
  if (index == 1) return {};
  SimpleCommand bare = command;
  const auto end = std::min(index, command.words.size());
  bare.words.erase(bare.words.begin() + 1, bare.words.begin() + static_cast<std::ptrdiff_t>(end));
  return bare;
}

std::string shortened(std::string_view command) {
  std::string line = utf8_sanitize(command.substr(0, command.find('\n')));
  const bool is_cut = line.size() > kShownBytesMax || command.find('\n') != std::string::npos;
  if (line.size() > kShownBytesMax) {
    line = line.substr(0, utf8_valid_prefix(std::string_view(line).substr(0, kShownBytesMax)));
  }
  return is_cut ? line + "..." : line;
}

// What one file says about one command.
Verdict decide_in(const RuleLayer& layer, const SimpleCommand& command) {
  Verdict verdict;
  bool is_matched = false;
  const auto take = [&](Decision decision, const CommandRule& rule, const std::string& reason) {
    if (is_matched && decision <= verdict.decision) return;
    is_matched = true;
    verdict.decision = decision;
    verdict.rule = &rule;
    verdict.reason = reason;
  };
  const std::optional<SimpleCommand> bare = without_global_options(command);
  for (const CommandRule& rule : layer.rules) {
    Match match = match_rule(rule, command);
    if (bare && rule.decision != Decision::kAllow) match = std::max(match, match_rule(rule, *bare));
    if (match == Match::kNo) continue;
    if (rule.decision == Decision::kAllow) {
      if (match == Match::kYes && !is_steered(command)) take(Decision::kAllow, rule, rule.reason);
    } else if (match == Match::kYes) {
      take(rule.decision, rule, rule.reason);
    } else {
      take(Decision::kAsk, rule, "it may match when it runs");
    }
  }
  if (!is_matched) {
    verdict.decision = layer.fallback;
    if (layer.fallback != Decision::kAllow) verdict.reason = "no rule matches";
  }
  return verdict;
}

uint64_t hash_text(uint64_t hash, std::string_view text) {
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return (hash ^ 0xffu) * 0x100000001b3u;
}

}  // namespace

std::string_view decision_name(Decision decision) {
  switch (decision) {
    case Decision::kAllow:
      return "allow";
    case Decision::kAsk:
      return "ask";
    case Decision::kDeny:
      return "deny";
  }
  return "";
}

Match match_rule(const CommandRule& rule, const SimpleCommand& command) {
  Match match = Match::kYes;
  for (size_t index = 0; index < rule.prefix.size(); ++index) {
    if (index >= command.words.size()) {
      return command.takes_more ? std::min(match, Match::kMaybe) : Match::kNo;
    }
    Match best = Match::kNo;
    for (const std::string& wanted : rule.prefix[index]) {
      const ShellWord& word = command.words[index];
      best = std::max(best, index == 0 ? match_program(wanted, word) : match_word(wanted, word));
    }
    match = std::min(match, best);
    if (match == Match::kNo) return match;
    // An open word may become several: what follows it can stand anywhere.
    if (command.words[index].kind != ShellWord::Kind::kFixed) return match;
  }
  return match;
}

bool CommandRules::empty() const {
  return std::all_of(layers_.begin(), layers_.end(), [](const RuleLayer& layer) {
    return layer.rules.empty() && layer.fallback == Decision::kAllow;
  });
}

Result<CommandRules> CommandRules::load(const std::vector<std::string>& files) {
  CommandRules rules;
  uint64_t hash = 0xcbf29ce484222325u;
  int number = 1;
  for (const std::string& file : files) {
    std::error_code error;
    const auto status = std::filesystem::status(file, error);
    if (status.type() == std::filesystem::file_type::not_found) continue;
    if (status.type() != std::filesystem::file_type::regular) {
      return Error(ErrorCode::kIo, file + ": not a file that can be read");
    }
    TRY_ASSIGN(const std::string text, read_file(file, kRulesBytesMax));
    TRY_ASSIGN(RuleLayer layer, parse_rules(text, file, number));
    number += static_cast<int>(layer.rules.size());
    hash = hash_text(hash, text);
    rules.layers_.push_back(std::move(layer));
  }
  if (!rules.layers_.empty()) rules.hash_ = fmt::format("{:016x}", hash);
  return rules;
}

Verdict CommandRules::decide(std::string_view text) const {
  Verdict strictest;
  if (empty()) return strictest;
  const Result<std::vector<SimpleCommand>> commands = commands_of(text);
  if (!commands) {
    strictest.decision = Decision::kAsk;
    strictest.command = shortened(text);
    strictest.reason = "it cannot be read: " + commands.error().message();
    return strictest;
  }
  bool is_first = true;
  for (const SimpleCommand& command : *commands) {
    if (command.words.empty()) continue;
    for (const RuleLayer& layer : layers_) {
      Verdict verdict = decide_in(layer, command);
      const bool is_named = verdict.rule != nullptr && strictest.rule == nullptr;
      const bool is_stricter = verdict.decision > strictest.decision ||
                               (verdict.decision == strictest.decision && (is_first || is_named));
      is_first = false;
      if (!is_stricter) continue;
      strictest = std::move(verdict);
      strictest.command = shortened(shown_command(command));
    }
  }
  return strictest;
}

std::string denial_text(std::string_view command, const Verdict& verdict) {
  if (verdict.decision == Decision::kAllow) return "";
  const std::string rule =
      verdict.rule == nullptr
          ? std::string(decision_name(verdict.decision))
          : fmt::format("rule {}: {}", verdict.rule->number, decision_name(verdict.rule->decision));
  const std::string nobody =
      verdict.decision == Decision::kAsk ? ", and nobody is there to answer" : "";
  const std::string reason = verdict.reason.empty() ? "" : "; " + verdict.reason;
  return fmt::format("E_DENIED {} ({}{}{}). Do not retry; choose another way or ask.",
                     shortened(command), rule, nobody, reason);
}

}  // namespace levin::agent
