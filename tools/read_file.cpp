// read: numbered lines of a file, or the names in a folder.
#include <algorithm>

#include "tools/arguments.h"
#include "tools/entries.h"
#include "tools/file_errors.h"
#include "tools/file_type.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr int64_t kLinesMax = 400;
constexpr size_t kBodyBytesMax = 24 * 1024;
constexpr size_t kFolderEntriesMax = 400;

std::string folder_text(const std::string& path, const std::vector<FolderEntry>& entries) {
  const size_t count = entries.size();
  std::string text =
      path + " (folder, " + std::to_string(count) + (count == 1 ? " entry" : " entries");
  if (count > kFolderEntriesMax) text += ", first " + std::to_string(kFolderEntriesMax);
  text += ')';
  for (size_t index = 0; index < std::min(count, kFolderEntriesMax); ++index) {
    text += '\n' + shown_name(entries[index].name) + (entries[index].is_folder ? "/" : "");
  }
  return text;
}

// The lines [start, start + count) as far as they fit; `last` is the last one shown.
std::string body_text(const std::vector<std::string_view>& lines, size_t start, size_t count,
                      size_t& last) {
  std::string body;
  last = start - 1;
  for (size_t number = start; number < start + count && number <= lines.size(); ++number) {
    const std::string line = '\n' + std::to_string(number) + '\t' + shown_line(lines[number - 1]);
    if (last >= start && body.size() + line.size() > kBodyBytesMax) break;
    body += line;
    last = number;
  }
  return body;
}

ToolResult read_folder(Workspace& workspace, const std::string& path, const Place& place) {
  const Result<std::vector<FolderEntry>> entries = workspace.list_folder(place);
  if (!entries) return file_failure(workspace, path, entries.error());
  ToolResult result;
  result.text = folder_text(path.empty() ? "." : path, *entries);
  return result;
}

ToolResult run_read(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("read", kReadExample, value);
  const std::string path = arguments.path("path");
  const auto start = static_cast<size_t>(arguments.whole_number_or("start", 1, 1));
  const auto count =
      static_cast<size_t>(std::min(arguments.whole_number_or("lines", kLinesMax, 1), kLinesMax));
  if (arguments.failed()) return failure(arguments.problem());
  Workspace& workspace = context.workspace;
  if (const Result<Place> place = workspace.find(path); place && place->is_folder()) {
    return read_folder(workspace, path, *place);
  }
  const Result<FileData> file = workspace.load(path);
  if (!file) return file_failure(workspace, path, file.error());
  ToolResult result;
  if (looks_binary(file->content)) {
    result.text = "binary, " + std::to_string(file->content.size()) + " bytes, " +
                  std::string(binary_type(file->content));
    return result;
  }
  const std::vector<std::string_view> lines = lines_of(file->content);
  const std::string total = std::to_string(lines.size());
  if (start > std::max<size_t>(lines.size(), 1)) {
    arguments.refuse("start is " + std::to_string(start) + ", but " + path + " has " + total +
                     " lines");
    return failure(arguments.problem());
  }
  workspace.note_seen(file->real_path, file->content);
  if (lines.empty()) {
    result.text = path + " (lines 0-0 of 0)";
    return result;
  }
  size_t last = 0;
  const std::string body = body_text(lines, start, count, last);
  result.text =
      path + " (lines " + std::to_string(start) + '-' + std::to_string(last) + " of " + total;
  if (last < lines.size()) result.text += "; next: start=" + std::to_string(last + 1);
  result.text += ')' + body;
  return result;
}

}  // namespace

ToolEntry read_tool() {
  return {"read", std::string(kReadExample), run_read};
}

}  // namespace levin::tools
