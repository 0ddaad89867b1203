// Stands in for the index in a build without its libraries: says so, and checks no syntax.
#include "tools/repo_index.h"
#include "tools/syntax_check.h"

namespace levin::tools {
namespace {

Error absent() {
  return Error(
      ErrorCode::kUnsupported,
      "this build has no repository index: tree-sitter, SQLite or the grammars were missing "
      "when it was made");
}

}  // namespace

bool has_repo_index() {
  return false;
}
size_t estimate_tokens(std::string_view text) {
  return text.size() / 3;
}
std::string map_text(const RepoMap&) {
  return "";
}

Result<RepoMap> make_repo_map(const Workspace&, const IndexOptions&, const MapQuery&) {
  return absent();
}

Result<SymbolHits> find_symbols(const Workspace&, const IndexOptions&, const SymbolQuery&) {
  return absent();
}

std::vector<SyntaxError> new_syntax_errors(std::string_view, std::string_view, std::string_view) {
  return {};
}

std::string syntax_note(std::string_view, std::string_view, std::string_view) {
  return "";
}

}  // namespace levin::tools
