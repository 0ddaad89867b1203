// edit: replaces text in one file.
#include "tools/arguments.h"
#include "tools/edit_apply.h"
#include "tools/entries.h"
#include "tools/file_errors.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

std::vector<Edit> read_edits(Arguments& arguments) {
  std::vector<Edit> edits;
  const nlohmann::json* const list = arguments.list("edits");
  if (list == nullptr) return edits;
  for (const nlohmann::json& entry : *list) {
    Arguments members("edit", kEditExample, entry);
    if (!entry.is_object()) members.refuse("no object");
    edits.push_back({members.text("old"), members.text("new"), members.flag_or("all", false)});
    if (members.failed()) arguments.refuse("bad \"edits\"");
  }
  return edits;
}

// The only right use of an empty `old`: the file is missing or empty, and `new` becomes the file.
bool fills_a_file(const std::vector<Edit>& edits) {
  return edits.size() == 1 && edits[0].old_text.empty() && !edits[0].new_text.empty();
}

ToolResult write_edited(Workspace& workspace, const std::string& path, const FileData* before,
                        EditOutcome outcome) {
  const std::string* const expected = before != nullptr ? &before->content : nullptr;
  const Result<Stored> stored = workspace.store(path, *outcome.after, expected);
  if (!stored) return file_failure(workspace, path, stored.error());
  if (*stored == Stored::kChangedMeanwhile) {
    return failure("E_STALE " + path +
                   " changed while it was edited; file unchanged. Read it again.");
  }
  const Result<Place> place = workspace.find(path);
  if (place) workspace.note_seen(place->path, *outcome.after);
  ToolResult result;
  result.text = std::move(outcome.text);
  result.changes.push_back({place ? place->path : path, before != nullptr ? before->content : "",
                            *std::move(outcome.after), before == nullptr});
  return result;
}

EditOutcome filled(const std::string& new_text, const std::string& path) {
  return {new_text, edit_result_text(new_text, {{0, new_text.size()}}, 1, path, "")};
}

ToolResult run_edit(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("edit", kEditExample, value);
  const std::string path = arguments.path("path");
  const std::vector<Edit> edits = read_edits(arguments);
  if (arguments.failed()) return failure(arguments.problem());
  Workspace& workspace = context.workspace;
  Result<FileData> file = workspace.load(path);
  if (!file) {
    if (file.error().code() != ErrorCode::kNotFound || !fills_a_file(edits)) {
      return file_failure(workspace, path, file.error());
    }
    return write_edited(workspace, path, nullptr, filled(edits[0].new_text, path));
  }
  std::string stale = stale_text(workspace, path, file->real_path, file->content);
  if (!stale.empty()) return failure(std::move(stale));
  if (file->content.empty() && fills_a_file(edits)) {
    return write_edited(workspace, path, &*file, filled(edits[0].new_text, path));
  }
  EditOutcome outcome = apply_edits(file->content, edits, path);
  if (!outcome.after) return failure(std::move(outcome.text));
  return write_edited(workspace, path, &*file, std::move(outcome));
}

}  // namespace

ToolEntry edit_tool() {
  return {"edit", std::string(kEditExample), run_edit};
}

}  // namespace levin::tools
