// The tools that exist, by name. A value: filled by make_registry(), passed where needed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tools/tool.h"

namespace levin::tools {

struct ToolEntry {
  std::string name;
  std::string example;  // Arguments of a minimal right call, for E_ARGS.
  ToolResult (*run)(const nlohmann::json& arguments, ToolContext& context);
};

class Registry {
 public:
  explicit Registry(std::vector<ToolEntry> entries) : entries_(std::move(entries)) {}

  const ToolEntry* find(std::string_view name) const;
  std::vector<std::string> names() const;

  // Runs one call. `arguments` is the raw text of the JSON value as the model wrote it. Every
  // problem (unknown tool, bad JSON, missing argument) is a ToolResult with a stable E_ code, never
  // an Error.
  ToolResult call(std::string_view name, std::string_view arguments, ToolContext& context) const;

 private:
  std::vector<ToolEntry> entries_;
};

// bash, read, search, edit, write, apply-patch, test, web_check.
Registry make_registry();

// The E_JSON answer to a call that the reply's end cut off, of whose arguments this much came. Such
// a call is never run, even when what came happens to be whole.
std::string cut_call_text(std::string_view arguments);

}  // namespace levin::tools
