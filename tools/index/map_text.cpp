// The map as text: for each file its path and then `LINE<TAB>source line`, as `read` shows files.
#include <fmt/format.h>

#include "tools/repo_index.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

// Bytes per token of source code lie between 3 and 4 in the vocabularies of today's code models.
constexpr size_t kBytesPerToken = 3;

}  // namespace

bool has_repo_index() {
  return true;
}

size_t estimate_tokens(std::string_view text) {
  return (text.size() + kBytesPerToken - 1) / kBytesPerToken;
}

std::string map_text(const RepoMap& map) {
  std::string text = fmt::format("{} of {} symbols in {} files, most needed files first",
                                 map.symbols_shown, map.report.definitions, map.report.files);
  if (!map.report.is_whole) text += " (the repository has more files than the index takes)";
  for (const MapFile& file : map.files) {
    text += "\n" + shown_name(file.path);
    for (const MapSymbol& symbol : file.symbols) {
      text += fmt::format("\n{}\t{}", symbol.line, symbol.text);
    }
  }
  return text;
}

}  // namespace levin::tools
