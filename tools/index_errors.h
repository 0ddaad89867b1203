// Turns what the repository index refuses into the text the model reads.
#pragma once

#include <string>

#include "base/result.h"
#include "tools/tool.h"

namespace levin::tools {

inline ToolResult index_failure(const std::string& tool, const Error& error) {
  if (error.code() == ErrorCode::kInterrupted) {
    return failure("E_TIMEOUT " + tool + " was interrupted; what was indexed is kept.");
  }
  if (error.code() == ErrorCode::kUnsupported) {
    return failure("E_TOOL " + tool + ": " + error.message() + ". Use search.");
  }
  return failure("E_IO " + tool + ": " + error.message());
}

}  // namespace levin::tools
