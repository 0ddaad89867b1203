// The symbol mode of search: definitions by name.
#pragma once

#include "tools/repo_index.h"
#include "tools/tool.h"

namespace levin::tools {

// The result for the model: the total, then `path:line: source line`. The pattern compiles: the caller
// has tried.
ToolResult search_symbols(const SymbolQuery& query, ToolContext& context);

}  // namespace levin::tools
