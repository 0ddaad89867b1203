// tree-sitter's parser with our limits on it.
#pragma once

#include <tree_sitter/api.h>

#include <memory>
#include <string_view>
#include <vector>

#include "tools/index/languages.h"

namespace levin::tools {

struct FreeTree {
  void operator()(TSTree* tree) const { ts_tree_delete(tree); }
};
using SyntaxTree = std::unique_ptr<TSTree, FreeTree>;

// tree-sitter 0.20 dies of an ERROR node with more than 65,535 children: a text must not have as
// many tokens. About 400 KB of usual code.
inline constexpr size_t kTokensMax = 60'000;
// Its queries take time that is quadratic in the children of an ERROR node.
inline constexpr uint32_t kErrorChildrenMax = 2'000;

// Not thread-safe: one per thread.
class SyntaxParser {
 public:
  SyntaxParser() : parser_(ts_parser_new()) {}

  // Null when the text has more than kTokensMax tokens or takes longer than kParseMicrosecondsMax
  // (index/tagger.h), and when the library does not read the grammar. Any bytes are allowed: what
  // is no code becomes ERROR nodes.
  SyntaxTree parse(const Language& language, std::string_view content);
  // As parse(); sets `language` to its other one where that reads the text without an error and it
  // does not.
  SyntaxTree parse_best(const Language*& language, std::string_view content);

 private:
  struct Free {
    void operator()(TSParser* parser) const { ts_parser_delete(parser); }
  };
  std::unique_ptr<TSParser, Free> parser_;
};

// Cuts a text into pieces with at most kTokensMax tokens, each beginning where something at the top
// begins: a line that is not indented, behind a blank line or a closing brace. A text that is short
// enough is one piece; none, when there is a stretch without such a place.
std::vector<std::string_view> parsed_pieces(std::string_view content);

// Whether a query may be run on it.
bool is_fit_for_queries(const TSTree* tree);

}  // namespace levin::tools
