// map: what the repository defines, most needed files first.
#include <algorithm>

#include "tools/arguments.h"
#include "tools/entries.h"
#include "tools/file_errors.h"
#include "tools/index_errors.h"
#include "tools/repo_index.h"

namespace levin::tools {
namespace {

constexpr int64_t kMapTokensMin = 50;

ToolResult run_map(const nlohmann::json& value, ToolContext& context) {
  Arguments arguments("map", kMapExample, value);
  MapQuery query;
  if (value.contains("focus") && !value["focus"].is_null()) {
    const nlohmann::json& focus = value["focus"];
    // One path is a list of one, since models write it so.
    for (const nlohmann::json& path : focus.is_array() ? focus : nlohmann::json::array({focus})) {
      const auto* const text = path.get_ptr<const std::string*>();
      if (text == nullptr || text->empty() || text->find('\0') != std::string::npos) {
        arguments.refuse("\"focus\" must be a list of paths");
        break;
      }
      query.focus.push_back(*text);
    }
  }
  const int64_t tokens = arguments.whole_number_or("tokens", kMapTokensDefault, kMapTokensMin);
  if (arguments.failed()) return failure(arguments.problem());
  query.tokens_max = std::min(static_cast<size_t>(tokens), kMapTokensMax);
  IndexOptions options;
  options.database = context.index_database;
  options.interrupted = context.interrupted;
  const Result<RepoMap> map = make_repo_map(context.workspace, options, query);
  if (!map) {
    // Of the paths named, the first that is at fault.
    for (const std::string& path : query.focus) {
      const Result<Place> place = context.workspace.find(path);
      if (!place) return file_failure(context.workspace, path, place.error());
      if (!place->exists()) {
        return file_failure(context.workspace, path, Error(ErrorCode::kNotFound, path));
      }
    }
    return index_failure("map", map.error());
  }
  ToolResult result;
  result.text = map_text(*map);
  return result;
}

}  // namespace

ToolEntry map_tool() {
  return {"map", std::string(kMapExample), run_map};
}

}  // namespace levin::tools
