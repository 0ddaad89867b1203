// levin map: the repository map, as text or as JSON.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/commands.h"
#include "agent/index_wiring.h"
#include "agent/terminal_filter.h"
#include "tools/repo_index.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

nlohmann::json as_json(const tools::RepoMap& map) {
  nlohmann::json files = nlohmann::json::array();
  for (const tools::MapFile& file : map.files) {
    nlohmann::json symbols = nlohmann::json::array();
    for (const tools::MapSymbol& symbol : file.symbols) {
      symbols.push_back({{"name", symbol.name},
                         {"kind", symbol.kind},
                         {"line", symbol.line},
                         {"rank", symbol.rank},
                         {"text", symbol.text}});
    }
    files.push_back({{"path", file.path}, {"rank", file.rank}, {"symbols", std::move(symbols)}});
  }
  const tools::IndexReport& report = map.report;
  return {{"files", std::move(files)},
          {"symbols_shown", map.symbols_shown},
          {"token_estimate", map.token_estimate},
          {"index",
           {{"files", report.files},
            {"parsed", report.parsed},
            {"not_parsed", report.not_parsed},
            {"definitions", report.definitions},
            {"whole", report.is_whole}}}};
}

Result<tools::RepoMap> read_map(const MapOptions& options, const std::atomic<bool>& interrupted) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::canonical(options.workspace, error);
  if (error) {
    return Error(ErrorCode::kNotFound, "--workspace " + options.workspace + ": " + error.message());
  }
  TRY_ASSIGN(const tools::Workspace workspace, tools::Workspace::open(folder.string()));
  return tools::make_repo_map(workspace, index_options(workspace.root(), interrupted),
                              {options.focus, options.tokens_max});
}

}  // namespace

int command_map(const MapOptions& options, const std::atomic<bool>& interrupted) {
  const Result<tools::RepoMap> map = read_map(options, interrupted);
  if (!map) {
    const bool missing = map.error().code() == ErrorCode::kNotFound;
    std::cerr << "levin map: " << (missing ? "no such file or folder: " : "")
              << map.error().message() << std::endl;
    if (map.error().code() == ErrorCode::kInterrupted) return 130;
    return missing || map.error().code() == ErrorCode::kInvalidArgument ? 2 : 1;
  }
  if (!map->report.note.empty()) std::cerr << "levin map: " << map->report.note << std::endl;
  if (options.json) {
    // Paths and source lines may hold any bytes.
    std::cout << as_json(*map).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
              << std::endl;
  } else {
    std::cout << printable(tools::map_text(*map)) << std::endl;
  }
  return 0;
}

}  // namespace levin::agent
