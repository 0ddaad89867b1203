// search: lines that match, or paths that do, below a folder of the workspace.
#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "tools/arguments.h"
#include "tools/entries.h"
#include "tools/file_errors.h"
#include "tools/file_tree.h"
#include "tools/glob.h"
#include "tools/regex.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kHitsShownMax = 80;
constexpr size_t kBodyBytesMax = 8 * 1024;
constexpr size_t kHitsCountedMax = 1'000'000;

// Collects result lines up to the caps and counts all.
class Hits {
 public:
  void add(const std::string& line) {
    ++total_;
    if (full_) return;
    full_ = shown_ == kHitsShownMax || body_.size() + line.size() + 1 > kBodyBytesMax;
    if (full_) return;
    body_ += '\n' + line;
    ++shown_;
  }
  void add_file() { ++files_; }
  bool enough() const { return total_ >= kHitsCountedMax; }

  // `12 hits in 3 files` or `80 of 412 hits in 9 files, narrow with glob or path`.
  std::string text(const std::string& noun, bool with_files, const std::string& narrow) const {
    std::string head;
    if (shown_ < total_) head = std::to_string(shown_) + " of ";
    head += std::to_string(total_) + (enough() ? "+ " : " ") + noun + (total_ == 1 ? "" : "s");
    if (with_files && total_ > 0) {
      head += " in " + std::to_string(files_) + (files_ == 1 ? " file" : " files");
    }
    if (shown_ < total_) head += ", narrow with " + narrow;
    return head + body_;
  }

 private:
  std::string body_;
  size_t shown_ = 0;
  size_t total_ = 0;
  size_t files_ = 0;
  bool full_ = false;
};

// Whether no line can match: asked of the whole file at once, which for plain text is the same and
// spares all work on its lines.
bool surely_absent(std::string_view content, Regex& regex, const std::string& literal) {
  if (literal.empty()) return false;
  if (has_capital(literal, true))
    return ::memmem(content.data(), content.size(), literal.data(), literal.size()) == nullptr;
  return !regex.matches(content) && !regex.gave_up();
}

void search_content(std::string_view content, const std::string& path, Regex& regex,
                    const std::string& literal, Hits& hits) {
  if (looks_binary(content) || surely_absent(content, regex, literal)) return;
  bool any = false;
  size_t number = 0;
  while (!content.empty() && !hits.enough()) {
    const size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (!regex.matches(line)) continue;
    if (!any) hits.add_file();
    any = true;
    hits.add(path + ':' + std::to_string(number) + ": " + shown_line(line));
  }
}

struct Query {
  std::string pattern;
  std::string path;
  std::string glob;
  bool literal = false;
};

ToolResult search_text(const Query& query, Arguments& arguments, Workspace& workspace) {
  Result<Regex> regex = Regex::compile(query.pattern, query.literal);
  if (!regex) {
    arguments.refuse("bad \"pattern\" (" + regex.error().message() +
                     "; set literal=true for plain text)");
    return failure(arguments.problem());
  }
  // A pattern without signs is plain text; a line end in it would span lines.
  const bool plain =
      query.literal || query.pattern.find_first_of("\\^$.|?*+()[]{}") == std::string::npos;
  const bool one_line = query.pattern.find_first_of("\r\n") == std::string::npos;
  const std::string literal = plain && one_line ? query.pattern : "";
  Hits hits;
  Result<Place> place = workspace.find(query.path);
  if (place && place->is_file()) {  // Named outright: neither hidden nor ignored.
    const Result<FileData> file = workspace.load(query.path);
    if (!file) return file_failure(workspace, query.path, file.error());
    search_content(file->content, query.path, *regex, literal, hits);
  } else {
    const PathFilter filter(query.glob);
    const auto visit = [&](const TreeFile& file) {
      if (!query.glob.empty() && !filter.matches(file.path)) return true;
      const UniqueFd fd = open_component(file.folder, file.name, O_RDONLY | O_NONBLOCK);
      if (!fd) return true;
      const Result<std::string> content = read_descriptor(fd.get(), kFileBytesMax, file.path);
      if (content) search_content(*content, file.path, *regex, literal, hits);
      return !hits.enough();
    };
    const Result<void> walked = visit_files(workspace, query.path, {}, visit);
    if (!walked) return file_failure(workspace, query.path, walked.error());
  }
  ToolResult result;
  result.text = hits.text("hit", true, "glob or path");
  if (regex->gave_up())
    result.text += "\nSome lines were given up: the pattern takes too long on them.";
  return result;
}

ToolResult search_files(const Query& query, Workspace& workspace) {
  const bool is_glob = query.pattern.find_first_of("*?[{") != std::string::npos && !query.literal;
  const PathFilter by_name(query.pattern);
  const PathFilter filter(query.glob);
  Result<Regex> part = Regex::compile(query.pattern, true);
  if (!part) return failure("E_ARGS search: bad \"pattern\" (" + part.error().message() + ").");
  Hits hits;
  const auto visit = [&](const TreeFile& file) {
    if (!query.glob.empty() && !filter.matches(file.path)) return true;
    if (is_glob ? by_name.matches(file.path) : part->matches(file.path)) hits.add(file.path);
    return true;
  };
  const Result<void> walked = visit_files(workspace, query.path, {}, visit);
  if (!walked) return file_failure(workspace, query.path, walked.error());
  ToolResult result;
  result.text = hits.text("file", false, "pattern or path");
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
                         : search_text(query, arguments, context.workspace);
}

}  // namespace

ToolEntry search_tool() {
  return {"search", std::string(kSearchExample), run_search};
}

}  // namespace levin::tools
