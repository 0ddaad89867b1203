// Finds where the hunks of one file belong and applies them. No files are touched.
#pragma once

#include "tools/patch.h"

namespace levin::tools {

// All hunks are looked up in `content` as it is; all apply or none. A hunk whose lines stand in
// several places goes where its line number, its anchors or the order of the hunks leave only one
// choice; else it is E_MANY.
EditOutcome apply_hunks(std::string_view content, const FileOperation& operation,
                        std::string_view path);

}  // namespace levin::tools
