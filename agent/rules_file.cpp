// parse_rules(): the TOML form of docs/formats/policy.md.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "agent/command_rules.h"

namespace levin::agent {
namespace {

constexpr size_t kWordsMax = 32;          // Of a prefix.
constexpr size_t kAlternativesMax = 100;  // Of one word.

class RulesReader {
 public:
  RulesReader(const std::string& file, int first_number) : file_(file), number_(first_number) {}

  Result<RuleLayer> read(std::string_view text) {
    const toml::parse_result parsed = toml::parse(text, file_);
    if (!parsed) {
      std::ostringstream place;
      place << file_ << ":" << parsed.error().source().begin.line;
      return Error(ErrorCode::kInvalidArgument,
                   place.str() + ": " + std::string(parsed.error().description()));
    }
    RuleLayer layer;
    layer.file = file_;
    for (const auto& [key, value] : parsed.table()) {
      if (key == "default") {
        TRY_ASSIGN(layer.fallback, decision(value, "default"));
      } else if (key == "rule") {
        TRY(rules(value, layer));
      } else {
        return fail(value,
                    fmt::format("unknown key \"{}\" (there are default and [[rule]])", key.str()));
      }
    }
    return layer;
  }

 private:
  std::string place(const toml::node& node) const {
    return fmt::format("{}:{}", file_, node.source().begin.line);
  }
  Error fail(const toml::node& node, const std::string& what) const {
    return Error(ErrorCode::kInvalidArgument, place(node) + ": " + what);
  }

  Result<std::string> text(const toml::node& node, const std::string& what) const {
    const std::optional<std::string> value = node.value_exact<std::string>();
    if (!value) return fail(node, what + " must be a string");
    if (value->find('\0') != std::string::npos) return fail(node, what + " holds a NUL byte");
    return *value;
  }

  Result<Decision> decision(const toml::node& node, const std::string& what) const {
    TRY_ASSIGN(const std::string name, text(node, what));
    for (const Decision known : {Decision::kAllow, Decision::kAsk, Decision::kDeny}) {
      if (name == decision_name(known)) return known;
    }
    return fail(node, fmt::format("{} must be allow, ask or deny, found \"{}\"", what, name));
  }

  Result<void> rules(const toml::node& node, RuleLayer& layer) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return fail(node, "rules are written as [[rule]]");
    if (list->size() > kRulesMax) return fail(node, fmt::format("more than {} rules", kRulesMax));
    for (const toml::node& entry : *list) {
      const toml::table* table = entry.as_table();
      if (table == nullptr) return fail(entry, "rules are written as [[rule]]");
      Result<void> added = rule(*table, layer);
      if (!added) return added;
      ++number_;
    }
    return {};
  }

  Result<void> rule(const toml::table& table, RuleLayer& layer) {
    CommandRule rule;
    rule.number = number_;
    rule.place = place(table);
    const std::string name = fmt::format("rule {}", number_);
    for (const auto& [key, value] : table) {
      if (key == "prefix") {
        TRY_ASSIGN(rule.prefix, prefix(value, name));
      } else if (key == "decision") {
        TRY_ASSIGN(rule.decision, decision(value, name + ": decision"));
      } else if (key == "reason") {
        TRY_ASSIGN(rule.reason, text(value, name + ": reason"));
      } else if (key != "match" && key != "not_match") {
        return fail(value, fmt::format("{}: unknown key \"{}\" (there are prefix, decision, "
                                       "reason, match, not_match)",
                                       name, key.str()));
      }
    }
    if (rule.prefix.empty()) return fail(table, name + ": prefix is missing");
    if (!table.contains("decision")) return fail(table, name + ": decision is missing");
    TRY(examples(table, "match", rule, name));
    TRY(examples(table, "not_match", rule, name));
    layer.rules.push_back(std::move(rule));
    return {};
  }

  // "git push", or ["git", ["push", "fetch"]].
  Result<std::vector<std::vector<std::string>>> prefix(const toml::node& node,
                                                       const std::string& name) const {
    std::vector<std::vector<std::string>> words;
    if (const std::optional<std::string> line = node.value_exact<std::string>()) {
      std::istringstream in(*line);
      for (std::string word; in >> word;) words.push_back({word});
    } else if (const toml::array* list = node.as_array()) {
      for (const toml::node& entry : *list) {
        std::vector<std::string> alternatives;
        if (const toml::array* several = entry.as_array()) {
          for (const toml::node& one : *several) {
            TRY_ASSIGN(std::string word, text(one, name + ": a word of prefix"));
            alternatives.push_back(std::move(word));
          }
        } else {
          TRY_ASSIGN(std::string word, text(entry, name + ": a word of prefix"));
          alternatives.push_back(std::move(word));
        }
        if (alternatives.empty()) return fail(entry, name + ": a word of prefix has no text");
        if (alternatives.size() > kAlternativesMax) {
          return fail(entry, name + ": too many alternatives of one word");
        }
        words.push_back(std::move(alternatives));
      }
    } else {
      return fail(node, name + ": prefix must be a string or a list of words");
    }
    if (words.empty()) return fail(node, name + ": prefix is empty");
    if (words.size() > kWordsMax) return fail(node, name + ": prefix has too many words");
    return words;
  }

  // Each example is shell text; of `match` one command must surely match, of `not_match` none may.
  Result<void> examples(const toml::table& table, const char* key, const CommandRule& rule,
                        const std::string& name) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return {};
    const toml::array* list = node->as_array();
    if (list == nullptr) return fail(*node, fmt::format("{}: {} must be a list", name, key));
    const bool is_wanted = std::string_view(key) == "match";
    for (const toml::node& entry : *list) {
      TRY_ASSIGN(const std::string line, text(entry, fmt::format("{}: {}", name, key)));
      const Result<std::vector<SimpleCommand>> commands = commands_of(line);
      if (!commands) {
        return fail(entry, fmt::format("{}: the example \"{}\" cannot be read: {}", name, line,
                                       commands.error().message()));
      }
      Match best = Match::kNo;
      for (const SimpleCommand& command : *commands) {
        best = std::max(best, match_rule(rule, command));
      }
      if (is_wanted ? best == Match::kYes : best == Match::kNo) continue;
      return fail(entry, fmt::format("{}: the example \"{}\" of {} {}", name, line, key,
                                     is_wanted ? "does not match" : "matches"));
    }
    return {};
  }

  std::string file_;
  int number_;
};

}  // namespace

Result<RuleLayer> parse_rules(std::string_view text, const std::string& file, int first_number) {
  return RulesReader(file, first_number).read(text);
}

}  // namespace levin::agent
