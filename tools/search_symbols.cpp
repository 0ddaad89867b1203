#include "tools/search_symbols.h"

#include <fmt/format.h>

#include <map>

#include "tools/file_errors.h"
#include "tools/index_errors.h"
#include "tools/search_text.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

// Reads lines of files, each file once.
class LineReader {
 public:
  explicit LineReader(const Workspace& workspace) : workspace_(workspace) {}

  // Empty when the file is gone or shorter now.
  std::string line(const std::string& path, uint32_t number) {
    const auto [entry, is_new] = files_.try_emplace(path);
    if (is_new) {
      Result<FileData> file = workspace_.load(path);
      if (file) entry->second = std::move(file->content);
    }
    const std::vector<std::string_view> lines = lines_of(entry->second);
    return number >= 1 && number <= lines.size() ? shown_line(lines[number - 1]) : "";
  }

 private:
  const Workspace& workspace_;
  std::map<std::string, std::string> files_;
};

}  // namespace

ToolResult search_symbols(const SymbolQuery& query, ToolContext& context) {
  IndexOptions options;
  options.database = context.index_database;
  options.interrupted = context.interrupted;
  const Result<Place> place = context.workspace.find(query.path);
  if (!place) return file_failure(context.workspace, query.path, place.error());
  if (!place->exists()) {
    return file_failure(context.workspace, query.path, Error(ErrorCode::kNotFound, query.path));
  }
  const Result<SymbolHits> found = find_symbols(context.workspace, options, query);
  if (!found) return index_failure("search", found.error());
  LineReader reader(context.workspace);
  std::string body;
  size_t shown = 0;
  for (const SymbolHit& hit : found->hits) {
    const std::string line =
        fmt::format("\n{}:{}: {}", hit.path, hit.line, reader.line(hit.path, hit.line));
    if (shown == kHitsShownMax || body.size() + line.size() > kSearchBodyBytesMax) break;
    body += line;
    ++shown;
  }
  const char* const symbols = found->total == 1 ? "symbol" : "symbols";
  const char* const files = found->file_count == 1 ? "file" : "files";
  ToolResult result;
  result.text = fmt::format("{} {} in {} {}", found->total, symbols, found->file_count, files);
  if (shown < found->total) {
    result.text = fmt::format("{} of {}, narrow with glob or path", shown, result.text);
  }
  result.text += body;
  if (found->gave_up) result.text += "\nSome names were given up: the pattern takes too long on them.";
  return result;
}

}  // namespace levin::tools
