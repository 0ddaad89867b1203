// Chooses what a map shows: definitions that the ranked files use most, until the tokens are spent.
#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "tools/index/languages.h"
#include "tools/index/ranked_graph.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kShownLineBytesMax = 120;
constexpr size_t kSameNameMax = 2;        // Definitions of one name shown of one file.
constexpr size_t kBytesPerSymbolMin = 6;  // "\n12\tx": what a symbol takes at least.
constexpr size_t kCandidatesMax = 20'000;
constexpr float kFocusShare = 0.9f;  // Of all attention that begins at the focus.
// Part of a file's rank that its definitions get without being used by others: it orders those that
// nobody uses, and shows what a focused file itself holds.
constexpr float kOwnPart = 0.02f;
constexpr float kFocusOwnPart = 0.5f;

struct Candidate {
  float score;
  uint32_t file;  // Its place among the files.
  uint32_t name_hash;
};

bool is_better(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.file != b.file ? a.file < b.file : a.name_hash < b.name_hash;
}

// Where a file of the graph stands in the folders.
struct FilePosition {
  const FolderRecord* folder;
  size_t index;
  FilePlace place;

  const FileRecord& record() const { return folder->files[index]; }
};

std::string shown_text(std::string_view line) {
  std::string text = shown_line(line.substr(0, kLineBytesMax));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
  if (text.size() <= kShownLineBytesMax) return text;
  size_t end = kShownLineBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

class MapMaker {
 public:
  MapMaker(const Workspace& workspace, IndexStore& store, IndexData& data,
           const IndexOptions& options, const MapQuery& query)
      : workspace_(workspace), store_(store), data_(data), options_(options), query_(query) {
    for (const FolderRecord& folder : data.folders) {
      FilePlace place;
      for (size_t index = 0; index < folder.files.size(); ++index) {
        files_.push_back({&folder, index, place});
        place.pass(folder.files[index]);
      }
    }
  }

  Result<RepoMap> make() {
    RepoMap map;
    in_focus_.assign(files_.size(), false);
    TRY(find_focus(data_.report.note));
    TRY_ASSIGN(graph_, RankedGraph::make(store_, data_, options_));
    focus();
    map.report = data_.report;
    map.report.is_ranked_anew = graph_->is_new();
    TRY(choose(map));
    return map;
  }

 private:
  Result<void> find_focus(std::string& note) {
    for (const std::string& wanted : query_.focus) {
      TRY_ASSIGN(const Place place, workspace_.find(wanted));
      if (!place.exists()) return Error(ErrorCode::kNotFound, wanted);
      if (place.path == ".") continue;
      size_t count = 0;
      for (size_t file = 0; file < files_.size(); ++file) {
        if (!is_at(files_[file], place.path)) continue;
        in_focus_[file] = true;
        ++count;
      }
      if (count > 0) continue;
      note += (note.empty() ? "" : "; ") + wanted + " holds nothing that the index knows";
    }
    return {};
  }

  // Whether the file is `path` or lies in it.
  static bool is_at(const FilePosition& position, const std::string& path) {
    const std::string& folder = position.folder->path;
    if (folder.size() >= path.size()) {
      return folder.starts_with(path) &&
             (folder.size() == path.size() || folder[path.size()] == '/');
    }
    const size_t start = folder.empty() ? 0 : folder.size() + 1;
    return path.starts_with(folder) && (start == 0 || path[start - 1] == '/') &&
           std::string_view(path).substr(start) == position.record().name;
  }

  void focus() {
    std::vector<uint32_t> files;
    for (size_t file = 0; file < files_.size(); ++file) {
      if (in_focus_[file]) files.push_back(graph_->file_number(file));
    }
    if (!files.empty()) graph_->ranks().focus(files, kFocusShare);
  }

  // The best candidates, best first.
  std::vector<Candidate> candidates() const {
    const PatchedGraph& graph = graph_->graph();
    const LazyFloats& attention = graph_->ranks().attention();
    const std::vector<float>& ranks = graph_->ranks().ranks();
    const size_t bytes = query_.tokens_max * 3;
    const size_t wanted = std::min(bytes / kBytesPerSymbolMin + 1, kCandidatesMax);
    std::vector<Candidate> found;  // A heap, the worst one on top.
    for (uint32_t file = 0; file < files_.size(); ++file) {
      const uint32_t number = graph_->file_number(file);
      const std::span<const uint32_t> names = graph.defined(number);
      const float own = (in_focus_[file] ? kFocusOwnPart : kOwnPart) * ranks[number] /
                        static_cast<float>(std::max<size_t>(names.size(), 1));
      for (const uint32_t name : names) {
        if (name >= attention.size()) continue;  // Damaged.
        const auto definers = static_cast<float>(graph.definers(name).size());
        const Candidate candidate{own + attention[name] / definers, file, name};
        if (found.size() == wanted && candidate.score < found.front().score) continue;
        keep(found, {candidate.score, file, graph.name_hash(name)}, wanted);
      }
    }
    std::sort_heap(found.begin(), found.end(), is_better);
    return found;
  }

  static void keep(std::vector<Candidate>& heap, const Candidate& candidate, size_t wanted) {
    if (heap.size() == wanted) {
      if (!is_better(candidate, heap.front())) return;
      std::pop_heap(heap.begin(), heap.end(), is_better);
      heap.pop_back();
    }
    heap.push_back(candidate);
    std::push_heap(heap.begin(), heap.end(), is_better);
  }

  struct OpenFile {
    std::vector<Definition> definitions;
    std::string content;
    std::vector<std::string_view> lines;
    std::optional<size_t> shown;  // Its place in the map.
  };

  Result<OpenFile*> open_file(uint32_t number) {
    const auto [entry, is_new] = open_.try_emplace(number);
    OpenFile& file = entry->second;
    if (!is_new) return &file;
    const FilePosition& position = files_[number];
    const auto [tags, is_unread] = tags_.try_emplace(position.folder);
    if (is_unread) {
      TRY_ASSIGN(tags->second, store_.load_tags(position.folder->path));
    }
    if (position.place.tags + position.record().tags_size > tags->second.size()) {
      return Error(ErrorCode::kCorrupt, "the index holds damaged tags");
    }
    TRY_ASSIGN(file.definitions,
               decode_definitions(std::string_view(tags->second)
                                      .substr(position.place.tags, position.record().tags_size)));
    const std::string path = file_path(*position.folder, position.record());
    Result<FileData> data = workspace_.load(path, kIndexedBytesMax);
    if (data) file.content = std::move(data->content);
    file.lines = lines_of(file.content);
    return &file;
  }

  // Definitions of the candidate's name: declarations only where there is nothing else.
  std::vector<const Definition*> definitions_of(const OpenFile& file, const Candidate& candidate) {
    const Family family = language_of(files_[candidate.file].record().name)->family;
    const std::vector<std::string_view> kinds = kind_names();
    std::vector<const Definition*> found;
    std::vector<const Definition*> declared;
    for (const Definition& definition : file.definitions) {
      if (definition_hash(definition, family) != candidate.name_hash) continue;
      (kinds[definition.kind] == "declaration" ? declared : found).push_back(&definition);
    }
    if (found.empty()) found = std::move(declared);
    if (found.size() > kSameNameMax) found.resize(kSameNameMax);
    return found;
  }

  Result<void> choose(RepoMap& map) {
    const std::vector<float>& ranks = graph_->ranks().ranks();
    const float sum = std::max(std::accumulate(ranks.begin(), ranks.end(), 0.0f), 1e-30f);
    size_t bytes = map_text(map).size() + 8;  // The count of symbols grows.
    const size_t bytes_max = query_.tokens_max * 3;
    for (const Candidate& candidate : candidates()) {
      TRY_ASSIGN(OpenFile* const file, open_file(candidate.file));
      const FilePosition& position = files_[candidate.file];
      const std::string path = file_path(*position.folder, position.record());
      for (const Definition* definition : definitions_of(*file, candidate)) {
        if (definition->line > file->lines.size()) continue;  // Changed since, or gone.
        const MapSymbol symbol{definition->name, std::string(kind_names()[definition->kind]),
                               definition->line, shown_text(file->lines[definition->line - 1]),
                               candidate.score / sum};
        if (is_line_shown(map, *file, symbol.line)) continue;
        const size_t cost = (file->shown ? 0 : path.size() + 1) +
                            std::to_string(symbol.line).size() + symbol.text.size() + 2;
        if (bytes + cost > bytes_max) return finish(map);
        bytes += cost;
        if (!file->shown) {
          file->shown = map.files.size();
          map.files.push_back({path, ranks[graph_->file_number(candidate.file)] / sum, {}});
        }
        map.files[*file->shown].symbols.push_back(symbol);
        ++map.symbols_shown;
      }
    }
    return finish(map);
  }

  static bool is_line_shown(const RepoMap& map, const OpenFile& file, uint32_t line) {
    if (!file.shown) return false;
    const std::vector<MapSymbol>& symbols = map.files[*file.shown].symbols;
    return std::any_of(symbols.begin(), symbols.end(),
                       [&](const MapSymbol& symbol) { return symbol.line == line; });
  }

  static Result<void> finish(RepoMap& map) {
    for (MapFile& file : map.files) {
      std::sort(file.symbols.begin(), file.symbols.end(),
                [](const MapSymbol& a, const MapSymbol& b) { return a.line < b.line; });
    }
    map.token_estimate = estimate_tokens(map_text(map));
    return {};
  }

  const Workspace& workspace_;
  IndexStore& store_;
  IndexData& data_;
  const IndexOptions& options_;
  const MapQuery& query_;
  std::vector<FilePosition> files_;
  std::vector<bool> in_focus_;
  std::unique_ptr<RankedGraph> graph_;
  std::map<uint32_t, OpenFile> open_;
  std::map<const FolderRecord*, std::string> tags_;
};

}  // namespace

Result<RepoMap> make_repo_map(const Workspace& workspace, const IndexOptions& options,
                              const MapQuery& query) {
  RepoMap map;
  TRY(with_index(workspace, options, [&](IndexStore& store, IndexData& data) -> Result<void> {
    TRY_ASSIGN(map, MapMaker(workspace, store, data, options, query).make());
    return {};
  }));
  return map;
}

}  // namespace levin::tools
