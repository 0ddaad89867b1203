// Turns what the workspace refuses into the text the model reads.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "tools/tool.h"
#include "tools/workspace.h"

namespace levin::tools {

// E_DENIED, E_PATH or E_IO for an error of Workspace on `path`, as the model wrote it.
ToolResult file_failure(const Workspace& workspace, std::string_view path, const Error& error);

// E_STALE when the model saw the file and it holds something else now; shows what is new and, when
// all of it was shown, counts it as seen. Absent (empty text) otherwise.
std::string stale_text(Workspace& workspace, std::string_view path, const std::string& real_path,
                       std::string_view content);

}  // namespace levin::tools
