#include "tools/syntax_check.h"

namespace levin::tools {

void add_syntax_notes(ToolResult& result) {
  if (result.failed) return;
  for (const FileChange& change : result.changes) {
    if (change.deleted) continue;
    const std::string note = syntax_note(change.path, change.before, change.after);
    if (!note.empty()) result.text += "\n" + note;
  }
}

}  // namespace levin::tools
