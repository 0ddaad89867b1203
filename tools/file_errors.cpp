#include "tools/file_errors.h"

#include <algorithm>

#include "tools/closest.h"
#include "tools/file_tree.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {
constexpr size_t kStaleLinesMax = 60;  // More new lines than this are better read anew.
}  // namespace

ToolResult file_failure(const Workspace& workspace, std::string_view path, const Error& error) {
  const std::string name(path);
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
      return failure("E_DENIED " + name + " (" + error.message() +
                     "). Do not retry; choose another way or ask.");
    case ErrorCode::kNotFound:
      return failure(no_path_text(path, list_files(workspace)));
    case ErrorCode::kUnsupported:
      return failure("E_PATH " + error.message() + '.');
    default:
      return failure("E_IO " + error.message() + ". Nothing was changed.");
  }
}

std::string stale_text(Workspace& workspace, std::string_view path, const std::string& real_path,
                       std::string_view content) {
  const Workspace::Seen* const seen = workspace.changed_since_seen(real_path, content);
  if (seen == nullptr) return "";
  const std::string head = "E_STALE " + std::string(path) + " changed since you read it.";
  if (!seen->text) return head + " Read it again.";
  const std::vector<std::string_view> before = lines_of(*seen->text);
  const std::vector<std::string_view> now = lines_of(content);
  size_t first = 0;
  while (first < std::min(before.size(), now.size()) && before[first] == now[first]) ++first;
  size_t last = now.size();
  size_t last_before = before.size();
  while (last > first && last_before > first && now[last - 1] == before[last_before - 1]) {
    --last;
    --last_before;
  }
  if (last - first > kStaleLinesMax) {
    return head + " Read it again from start=" + std::to_string(first + 1) + '.';
  }
  std::string text = head;
  if (last == first) {
    text += last_before == first ? " Only its final newline differs."
                                 : " Lines are gone after line " + std::to_string(first) + '.';
  } else {
    const std::vector<std::string_view> fresh(now.begin() + static_cast<std::ptrdiff_t>(first),
                                              now.begin() + static_cast<std::ptrdiff_t>(last));
    text += " New lines " + std::to_string(first + 1) + '-' + std::to_string(last) + ":\n" +
            numbered(fresh, first + 1);
  }
  workspace.note_seen(real_path, content);
  return text;
}

}  // namespace levin::tools
