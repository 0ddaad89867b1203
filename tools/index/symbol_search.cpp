// Definitions by name: every folder's tags are read, no source file is.
#include <algorithm>
#include <cstring>

#include "tools/glob.h"
#include "tools/index/update.h"
#include "tools/regex.h"

namespace levin::tools {
namespace {

struct Scope {
  std::string path;  // "" for all.
  PathFilter filter;
  bool has_filter;

  bool holds(const std::string& file) const {
    const bool below =
        path.empty() || file == path || (file.starts_with(path) && file[path.size()] == '/');
    return below && (!has_filter || filter.matches(file));
  }
};

// Finds names of one pattern.
class NameMatcher {
 public:
  NameMatcher(Regex regex, const SymbolQuery& query) : regex_(std::move(regex)) {
    const bool plain =
        query.literal || query.pattern.find_first_of("\\^$.|?*+()[]{}") == std::string::npos;
    // With a capital in it, plain text is found as it is written: no need to ask the expression.
    if (plain && has_capital(query.pattern, true)) literal_ = query.pattern;
    if (plain) whole_ = query.pattern;
  }

  bool matches(std::string_view name) {
    if (!literal_.empty()) return name.find(literal_) != std::string_view::npos;
    return regex_.matches(name);
  }
  // Only plain text can be a whole name.
  bool is_whole(std::string_view name) const { return name == whole_; }
  bool gave_up() const { return regex_.gave_up(); }

 private:
  Regex regex_;
  std::string literal_;
  std::string whole_;
};

Result<void> search_folder(const FolderRecord& folder, const Scope& scope, NameMatcher& matcher,
                           SymbolHits& found, std::vector<SymbolHit>& whole) {
  const std::vector<std::string_view> kinds = kind_names();
  FilePlace place;
  for (const FileRecord& file : folder.files) {
    const std::string path = file_path(folder, file);
    if (scope.holds(path)) {
      if (place.tags + file.tags_size > folder.tags.size()) {
        return Error(ErrorCode::kCorrupt, "the index holds damaged tags of " + path);
      }
      TRY_ASSIGN(
          const std::vector<Definition> definitions,
          decode_definitions(std::string_view(folder.tags).substr(place.tags, file.tags_size)));
      const size_t before = found.total;
      for (const Definition& definition : definitions) {
        if (!matcher.matches(definition.name)) continue;
        ++found.total;
        std::vector<SymbolHit>& list = matcher.is_whole(definition.name) ? whole : found.hits;
        if (list.size() >= kSymbolHitsMax) continue;
        list.push_back(
            {path, definition.name, std::string(kinds[definition.kind]), definition.line});
      }
      if (found.total > before) ++found.file_count;
    }
    place.pass(file);
  }
  return {};
}

Result<SymbolHits> search(const Workspace& workspace, IndexStore& store, const SymbolQuery& query) {
  TRY_ASSIGN(Regex regex, Regex::compile(query.pattern, query.literal));
  TRY_ASSIGN(const Place place, workspace.find(query.path));
  if (!place.exists()) return Error(ErrorCode::kNotFound, query.path);
  const Scope scope{place.path == "." ? "" : place.path, PathFilter(query.glob),
                    !query.glob.empty()};
  NameMatcher matcher(std::move(regex), query);
  SymbolHits found;
  std::vector<SymbolHit> whole;
  Result<void> result;
  TRY(store.visit([&](const FolderRecord& folder) {
    result = search_folder(folder, scope, matcher, found, whole);
    return static_cast<bool>(result);
  }));
  if (!result) return std::move(result).error();
  found.hits.insert(found.hits.begin(), std::make_move_iterator(whole.begin()),
                    std::make_move_iterator(whole.end()));
  if (found.hits.size() > kSymbolHitsMax) found.hits.resize(kSymbolHitsMax);
  found.gave_up = matcher.gave_up();
  return found;
}

}  // namespace

Result<SymbolHits> find_symbols(const Workspace& workspace, const IndexOptions& options,
                                const SymbolQuery& query) {
  SymbolHits hits;
  TRY(with_index(workspace, options, [&](IndexStore& store, IndexData& data) -> Result<void> {
    TRY_ASSIGN(hits, search(workspace, store, query));
    hits.report = data.report;
    return {};
  }));
  return hits;
}

}  // namespace levin::tools
