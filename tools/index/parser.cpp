#include "tools/index/parser.h"

#include "tools/index/tagger.h"

namespace levin::tools {
namespace {

// At least as many tokens as any of the grammars sees: words, and all other bytes but blanks. Ends
// of lines count, since in Python they are tokens.
size_t tokens_at_most(std::string_view content) {
  size_t count = 0;
  bool in_word = false;
  for (const char c : content) {
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '_' ||
                         static_cast<unsigned char>(c) >= 0x80;
    const bool is_blank = c == ' ' || c == '\t' || c == '\r';
    if (is_word ? !in_word : !is_blank) ++count;
    in_word = is_word;
  }
  return count;
}

}  // namespace

SyntaxTree SyntaxParser::parse(const Language& language, std::string_view content) {
  if (tokens_at_most(content) > kTokensMax) return nullptr;
  if (!ts_parser_set_language(parser_.get(), language.grammar())) return nullptr;
  ts_parser_set_timeout_micros(parser_.get(), kParseMicrosecondsMax);
  SyntaxTree tree(ts_parser_parse_string(parser_.get(), nullptr, content.data(),
                                         static_cast<uint32_t>(content.size())));
  // A parser that ran out of time would go on with the old text.
  if (!tree) ts_parser_reset(parser_.get());
  return tree;
}

bool is_fit_for_queries(const TSTree* tree) {
  TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
  bool is_fit = true;
  for (bool is_inside = true; is_inside && is_fit;) {
    const TSNode node = ts_tree_cursor_current_node(&cursor);
    const bool is_error = ts_node_symbol(node) == static_cast<TSSymbol>(-1);
    is_fit = !is_error || ts_node_child_count(node) <= kErrorChildrenMax;
    // Only what holds an error is looked into.
    if (is_fit && ts_node_has_error(node) && ts_tree_cursor_goto_first_child(&cursor)) continue;
    while (is_inside && !ts_tree_cursor_goto_next_sibling(&cursor)) {
      is_inside = ts_tree_cursor_goto_parent(&cursor);
    }
  }
  ts_tree_cursor_delete(&cursor);
  return is_fit;
}

}  // namespace levin::tools
