#include "tools/registry.h"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/arguments.h"
#include "tools/syntax_check.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kNameDistanceMax = 2;

// What other agents call the same thing.
constexpr std::array<std::pair<std::string_view, std::string_view>, 36> kAliases = {{
    {"grep", "search"},
    {"rg", "search"},
    {"glob", "search"},
    {"find", "search"},
    {"search_files", "search"},
    {"find_files", "search"},
    {"codebase_search", "search"},
    {"cat", "read"},
    {"open", "read"},
    {"view", "read"},
    {"read_file", "read"},
    {"view_file", "read"},
    {"open_file", "read"},
    {"list", "read"},
    {"ls", "read"},
    {"list_dir", "read"},
    {"list_files", "read"},
    {"str_replace", "edit"},
    {"replace", "edit"},
    {"edit_file", "edit"},
    {"str_replace_editor", "edit"},
    {"apply_patch", "edit"},
    {"multi_edit", "edit"},
    {"patch", "edit"},
    {"update_file", "edit"},
    {"create", "write"},
    {"create_file", "write"},
    {"write_file", "write"},
    {"write_to_file", "write"},
    {"new_file", "write"},
    {"shell", "bash"},
    {"run", "bash"},
    {"exec", "bash"},
    {"execute", "bash"},
    {"run_command", "bash"},
    {"terminal", "bash"},
}};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return result;
}

// The tool that was probably meant; empty when none is near.
std::string meant_tool(std::string_view name, const Registry& registry) {
  const std::string plain = lower(name);
  if (registry.find(plain) != nullptr) return plain;
  for (const auto& [alias, tool] : kAliases) {
    if (alias == plain && registry.find(tool) != nullptr) return std::string(tool);
  }
  std::string best;
  size_t best_distance = std::min(kNameDistanceMax + 1, plain.size());
  for (const std::string& known : registry.names()) {
    const size_t distance = edit_distance(code_points(plain), code_points(known));
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = known;
  }
  return best;
}

std::string unknown_tool_text(std::string_view name, const Registry& registry) {
  std::string text = "E_TOOL no tool \"" + std::string(name) + "\". Use ";
  const std::string meant = meant_tool(name, registry);
  if (!meant.empty()) return text + meant + '.';
  const std::vector<std::string> names = registry.names();
  for (size_t index = 0; index < names.size(); ++index) {
    if (index > 0) text += index + 1 == names.size() ? " or " : ", ";
    text += names[index];
  }
  return text + '.';
}

}  // namespace

const ToolEntry* Registry::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const ToolEntry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<std::string> Registry::names() const {
  std::vector<std::string> names;
  for (const ToolEntry& entry : entries_) names.push_back(entry.name);
  return names;
}

ToolResult Registry::call(std::string_view name, std::string_view arguments,
                          ToolContext& context) const {
  const ToolEntry* const entry = find(name);
  if (entry == nullptr) return failure(unknown_tool_text(name, *this));
  if (std::optional<std::string> problem = json_problem_text(arguments)) {
    return failure(*std::move(problem));
  }
  const nlohmann::json value = nlohmann::json::parse(arguments, nullptr, false);
  // The scanner accepts all of JSON; what the parser still refuses are numbers beyond a double.
  if (value.is_discarded()) return failure("E_JSON a number is out of range; send the call again.");
  if (!value.is_object()) {
    Arguments checked(name, entry->example, value);
    checked.refuse("arguments must be an object");
    return failure(checked.problem());
  }
  ToolResult result = entry->run(value, context);
  if (context.checks_syntax) add_syntax_notes(result);
  return result;
}

std::string cut_call_text(std::string_view arguments) {
  const std::optional<std::string> problem = json_problem_text(arguments);
  if (problem) return *problem;
  return "E_JSON cut off at byte " + std::to_string(arguments.size()) + "; send the call again.";
}

}  // namespace levin::tools
