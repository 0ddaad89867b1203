// write: a whole file, new or replaced.
#include "tools/arguments.h"
#include "tools/entries.h"
#include "tools/file_errors.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

ToolResult run_write(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("write", kWriteExample, value);
  const std::string path = arguments.path("path");
  const std::string content = arguments.text("content");
  if (arguments.failed()) return failure(arguments.problem());
  Workspace& workspace = context.workspace;
  const Result<FileData> before = workspace.load(path);
  if (!before && before.error().code() != ErrorCode::kNotFound) {
    return file_failure(workspace, path, before.error());
  }
  if (before) {
    std::string stale = stale_text(workspace, path, before->real_path, before->content);
    if (!stale.empty()) return failure(std::move(stale));
  }
  const Result<Stored> stored = workspace.store(path, content, before ? &before->content : nullptr);
  if (!stored) return file_failure(workspace, path, stored.error());
  if (*stored == Stored::kChangedMeanwhile) {
    return failure("E_STALE " + path +
                   " changed while it was written; file unchanged. Read it again.");
  }
  const Result<Place> place = workspace.find(path);
  if (place) workspace.note_seen(place->path, content);
  ToolResult result;
  result.text = "wrote " + path + " (" + std::to_string(lines_of(content).size()) + " lines)";
  result.changes.push_back(
      {place ? place->path : path, before ? before->content : "", content, !before});
  return result;
}

}  // namespace

ToolEntry write_tool() {
  return {"write", std::string(kWriteExample), run_write};
}

}  // namespace levin::tools
