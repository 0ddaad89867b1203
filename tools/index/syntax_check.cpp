#include "tools/syntax_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tools/index/parser.h"
#include "tools/index/tag_query.h"
#include "tools/index/tagger.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

constexpr size_t kQuotedBytesMax = 40;

// The beginning of the text that could not be read, on one line.
std::string unexpected(TSNode node, std::string_view content) {
  std::string_view text = stripped(node_text(node, content));
  text = text.substr(0, std::min(text.find('\n'), text.size()));
  if (text.empty()) return "unexpected text";
  const bool is_cut = text.size() > kQuotedBytesMax;
  size_t end = std::min(text.size(), kQuotedBytesMax);
  while (is_cut && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return "unexpected " + shown_line(text.substr(0, end)) + (is_cut ? "..." : "");
}

// Walks into what holds errors, and nothing else.
class ErrorFinder {
 public:
  explicit ErrorFinder(std::string_view content) : content_(content) {}

  std::vector<SyntaxError> find(const TSTree* tree) {
    TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
    bool is_inside = true;
    while (is_inside && errors_.size() < kSyntaxErrorsMax) {
      const TSNode node = ts_tree_cursor_current_node(&cursor);
      const bool is_error = note(node);
      if (!is_error && ts_node_has_error(node) && ts_tree_cursor_goto_first_child(&cursor))
        continue;
      while (is_inside && !ts_tree_cursor_goto_next_sibling(&cursor)) {
        is_inside = ts_tree_cursor_goto_parent(&cursor);
      }
    }
    ts_tree_cursor_delete(&cursor);
    return std::move(errors_);
  }

 private:
  // Returns whether the node is an error itself.
  bool note(TSNode node) {
    const uint32_t line = ts_node_start_point(node).row + 1;
    if (ts_node_is_missing(node)) {
      errors_.push_back({line, std::string("missing ") + ts_node_type(node)});
      return true;
    }
    if (std::string_view(ts_node_type(node)) != "ERROR") return false;
    errors_.push_back({line, unexpected(node, content_)});
    return true;
  }

  std::string_view content_;
  std::vector<SyntaxError> errors_;
};

std::vector<SyntaxError> errors_of(SyntaxParser& parser, const Language& language,
                                   std::string_view content) {
  const Language* read_as = &language;
  const SyntaxTree tree = parser.parse_best(read_as, content);
  if (!tree || !ts_node_has_error(ts_tree_root_node(tree.get()))) return {};
  return ErrorFinder(content).find(tree.get());
}

}  // namespace

std::vector<SyntaxError> new_syntax_errors(std::string_view path, std::string_view before,
                                           std::string_view after) {
  const Language* const language = language_of(path);
  const size_t size = std::max(before.size(), after.size());
  if (language == nullptr || size > kIndexedBytesMax || looks_binary(after)) return {};
  SyntaxParser parser;
  std::vector<SyntaxError> errors = errors_of(parser, *language, after);
  if (errors.empty() || before.empty()) return errors;
  // Lines move, so an old error is known by its text; each accounts for one new one.
  std::map<std::string, size_t> known;
  for (const SyntaxError& error : errors_of(parser, *language, before)) ++known[error.what];
  std::erase_if(errors, [&](const SyntaxError& error) {
    const auto found = known.find(error.what);
    return found != known.end() && found->second > 0 && found->second-- > 0;
  });
  return errors;
}

std::string syntax_note(std::string_view path, std::string_view before, std::string_view after) {
  const std::vector<SyntaxError> errors = new_syntax_errors(path, before, after);
  if (errors.empty()) return "";
  std::string note = fmt::format("syntax: {} new error{} in {}", errors.size(),
                                 errors.size() == 1 ? "" : "s", path);
  for (size_t index = 0; index < std::min(errors.size(), kSyntaxErrorsShownMax); ++index) {
    note += fmt::format("\nline {}: {}", errors[index].line, errors[index].what);
  }
  if (errors.size() > kSyntaxErrorsShownMax) note += "\n...";
  return note;
}

}  // namespace levin::tools
