#include "tools/gitignore.h"

#include <algorithm>

namespace levin::tools {
namespace {

// Trailing spaces do not count unless a backslash guards them.
std::string_view trim_rule(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
  return line;
}

}  // namespace

void IgnoreRules::add(std::string_view text, std::string_view folder) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trim_rule(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const bool negated = line.front() == '!';
    if (negated) line.remove_prefix(1);
    const bool folders_only = line.ends_with('/');
    if (folders_only) line.remove_suffix(1);
    if (line.empty()) continue;
    const bool whole_path = line.find('/') != std::string_view::npos;
    if (line.front() == '/') line.remove_prefix(1);
    Rule rule{Glob(line), std::string(folder), negated, folders_only, whole_path};
    if (!rule.base.empty()) rule.base += '/';
    rules_.push_back(std::move(rule));
  }
}

Verdict IgnoreRules::verdict(std::string_view path, bool is_folder) const {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->folders_only && !is_folder) continue;
    if (!path.starts_with(rule->base)) continue;
    const std::string_view seen = rule->whole_path ? path.substr(rule->base.size()) : name;
    if (rule->glob.matches(seen)) return rule->negated ? Verdict::kNamed : Verdict::kIgnored;
  }
  return Verdict::kNone;
}

}  // namespace levin::tools
