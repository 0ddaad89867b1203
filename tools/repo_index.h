// The repository index: which names are defined where, and which files are needed most. Kept in a
// database outside the workspace; every call first brings it up to date, which costs a look at each
// file's stamp and a parse of each file that changed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tools/workspace.h"

namespace levin::tools {

inline constexpr size_t kMapTokensDefault = 1000;
inline constexpr size_t kMapTokensMax = 100'000;
inline constexpr size_t kLargeUpdateFiles = 2'000;  // From here on, somebody should be told.

struct IndexOptions {
  std::string database;       // Path of the database; empty: a new one in memory for this call.
  unsigned thread_count = 0;  // 0: one per core.
  size_t graph_kept_from = 2'000;  // Of so many files, the reference graph is kept in a file too.
  const std::atomic<bool>* interrupted = nullptr;
  std::function<void(size_t file_count)> on_large_update;  // Before kLargeUpdateFiles or more.
};

struct IndexReport {
  size_t files = 0;       // In the index.
  size_t parsed = 0;      // Now, because they are new or changed.
  size_t not_parsed = 0;  // Too large, binary, unreadable, or given up: named, without symbols.
  size_t definitions = 0;
  bool is_whole = true;  // False: there are more files than the index takes.
  bool is_ranked_anew = false;  // A map's graph was made from all files, not from what changed.
  std::string note;      // When the database had to be made anew: why.
};

struct MapQuery {
  std::vector<std::string> focus;  // Files or folders, relative; the map is drawn from there.
  size_t tokens_max = kMapTokensDefault;
};

struct MapSymbol {
  std::string name;
  std::string kind;  // "function", "class" ...
  uint32_t line = 0;
  std::string text;  // Of that line, cut at its end where long.
  double rank = 0;
};

struct MapFile {
  std::string path;
  double rank = 0;                 // Share of all attention: the files' ranks add up to 1.
  std::vector<MapSymbol> symbols;  // By line.
};

struct RepoMap {
  std::vector<MapFile> files;  // Most important first.
  size_t symbols_shown = 0;
  size_t token_estimate = 0;  // Of map_text(); at most tokens_max, but for a first line of its own.
  IndexReport report;
};

// How many tokens a text is for a model: a cautious guess, since a tool knows no tokenizer.
size_t estimate_tokens(std::string_view text);

// Whether this build has an index; without one, the calls below are kUnsupported.
bool has_repo_index();

// Errors: kNotFound for a focus that is not in the workspace (the message names it), kIo,
// kInterrupted, kUnsupported.
Result<RepoMap> make_repo_map(const Workspace& workspace, const IndexOptions& options,
                              const MapQuery& query);

// What a model or a person reads; ends without a newline.
std::string map_text(const RepoMap& map);

struct SymbolQuery {
  std::string pattern;  // Regular expression on the name, or plain text.
  bool literal = false;
  std::string path = ".";  // Folder or file.
  std::string glob = {};
};

struct SymbolHit {
  std::string path;
  std::string name;
  std::string kind;
  uint32_t line = 0;
};

struct SymbolHits {
  std::vector<SymbolHit> hits;  // Equal names first, then by path and line; at most kSymbolHitsMax.
  size_t total = 0;
  size_t file_count = 0;
  bool gave_up = false;  // The pattern takes too long on some names.
  IndexReport report;
};

inline constexpr size_t kSymbolHitsMax = 1'000;

// Errors: kInvalidArgument for a bad pattern, and those of make_repo_map().
Result<SymbolHits> find_symbols(const Workspace& workspace, const IndexOptions& options,
                                const SymbolQuery& query);

}  // namespace levin::tools
