#include "tools/index/parser.h"

#include <algorithm>

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

bool is_blank_line(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Whether a line begins something at the top, by the one before it.
bool is_top(std::string_view before, std::string_view line) {
  if (is_blank_line(line) || line.find_first_of(" \t})]#") == 0) return false;
  return is_blank_line(before) || before.front() == '}';
}

}  // namespace

std::vector<std::string_view> parsed_pieces(std::string_view content) {
  if (tokens_at_most(content) <= kTokensMax) return {content};
  std::vector<std::string_view> pieces;
  size_t begin = 0;   // Of the piece.
  size_t top = 0;     // The last place where it may end.
  size_t tokens = 0;  // From `begin` on.
  size_t tokens_to_top = 0;
  std::string_view before = "\n";
  for (size_t at = 0; at < content.size();) {
    const size_t end = std::min(content.find('\n', at), content.size() - 1) + 1;
    const std::string_view line = content.substr(at, end - at);
    if (is_top(before, line)) {
      top = at;
      tokens_to_top = tokens;
    }
    tokens += tokens_at_most(line);
    if (tokens > kTokensMax) {
      if (top == begin) return {};
      pieces.push_back(content.substr(begin, top - begin));
      begin = top;
      tokens -= tokens_to_top;
      tokens_to_top = 0;
      if (tokens > kTokensMax) return {};
    }
    before = line;
    at = end;
  }
  pieces.push_back(content.substr(begin));
  return pieces;
}

SyntaxTree SyntaxParser::parse_best(const Language*& language, std::string_view content) {
  SyntaxTree tree = parse(*language, content);
  if (language->other.empty() || !tree || !ts_node_has_error(ts_tree_root_node(tree.get()))) {
    return tree;
  }
  const Language& other = language_named(language->other);
  SyntaxTree second = parse(other, content);
  if (!second || ts_node_has_error(ts_tree_root_node(second.get()))) return tree;
  language = &other;
  return second;
}

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
