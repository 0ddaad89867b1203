// search: lines that match, or paths that do, below a folder of the workspace.
#include <algorithm>

#include "tools/arguments.h"
#include "tools/entries.h"
#include "tools/file_errors.h"
#include "tools/file_tree.h"
#include "tools/glob.h"
#include "tools/regex.h"
#include "tools/search_text.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

struct Query {
  std::string pattern;
  std::string path;
  std::string glob;
  bool literal = false;
};

ToolResult search_lines(const Query& query, Arguments& arguments, ToolContext& context) {
  const Result<Regex> regex = Regex::compile(query.pattern, query.literal);
  if (!regex) {
    arguments.refuse("bad \"pattern\" (" + regex.error().message() +
                     "; set literal=true for plain text)");
  } else if (query.pattern.find_first_of("\r\n") != std::string::npos) {
    arguments.refuse("\"pattern\" spans lines, search for one of them");
  }
  if (arguments.failed()) return failure(arguments.problem());
  const PathFilter filter(query.glob);
  Result<std::string> text = search_text(
      context.workspace,
      {query.pattern, query.literal, query.path, filter, context.interrupted, /*num_threads=*/0});
  if (!text) return file_failure(context.workspace, query.path, text.error());
  ToolResult result;
  result.text = *std::move(text);
  return result;
}

ToolResult search_files(const Query& query, Workspace& workspace) {
  const bool is_glob = query.pattern.find_first_of("*?[{") != std::string::npos && !query.literal;
  const PathFilter by_name(query.pattern);
  const PathFilter filter(query.glob);
  Result<Regex> part = Regex::compile(query.pattern, true);
  if (!part) return failure("E_ARGS search: bad \"pattern\" (" + part.error().message() + ").");
  std::string body;
  size_t shown = 0;
  size_t total = 0;
  const auto visit = [&](const TreeFile& file) {
    if (!filter.matches(file.path)) return true;
    if (!(is_glob ? by_name.matches(file.path) : part->matches(file.path))) return true;
    const bool none_left_out = shown == total++;
    if (none_left_out && shown < kHitsShownMax &&
        body.size() + file.path.size() < kSearchBodyBytesMax) {
      body += '\n' + shown_name(file.path);
      ++shown;
    }
    return true;
  };
  const Result<void> walked = visit_files(workspace, query.path, {}, visit);
  if (!walked) return file_failure(workspace, query.path, walked.error());
  ToolResult result;
  if (shown < total) result.text = std::to_string(shown) + " of ";
  result.text += std::to_string(total) + (total == 1 ? " file" : " files");
  if (shown < total) result.text += ", narrow with pattern or path";
  result.text += body;
  return result;
}

ToolResult run_search(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("search", kSearchExample, value);
  Query query;
  query.pattern = arguments.text("pattern");
  query.path = arguments.text_or("path", ".");
  query.glob = arguments.text_or("glob", "");
  query.literal = arguments.flag_or("literal", false);
  const std::string mode = arguments.text_or("mode", "text");
  if (mode == "symbol") {
    arguments.refuse("mode \"symbol\" is not available yet, use \"text\" or \"files\"");
  } else if (mode != "text" && mode != "files") {
    arguments.refuse("\"mode\" must be \"text\" or \"files\"");
  }
  if (query.pattern.empty()) arguments.refuse("\"pattern\" is empty");
  if (arguments.failed()) return failure(arguments.problem());
  return mode == "files" ? search_files(query, context.workspace)
                         : search_lines(query, arguments, context);
}

}  // namespace

ToolEntry search_tool() {
  return {"search", std::string(kSearchExample), run_search};
}

}  // namespace levin::tools
