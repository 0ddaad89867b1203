// The edits of one call applied to a text: what becomes of it, and what the model is told. No
// files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace levin::tools {

struct Edit {
  std::string old_text;
  std::string new_text;
  bool all = false;          // Every match, not only a single one.
  bool whole_lines = false;  // Both texts are lines with their newlines.
};

struct EditOutcome {
  std::optional<std::string> after;  // Absent: nothing is changed and `text` is the E_ text.
  std::string text;
};

// One place of a text that changes.
struct Span {
  size_t begin;
  size_t end;
  std::string replacement;
  size_t edit;  // Whose it is, from 0.
};

inline constexpr size_t kShownEditBytesMax = 24 * 1024;  // Of the changed lines in a result.

// All edits are looked up in `content` as it is, never in each other's results; all apply or none.
EditOutcome apply_edits(std::string_view content, const std::vector<Edit>& edits,
                        std::string_view path);

// `spans` of edits that were found at `levels` (one per edit), in any order: E_OVERLAP, or applied.
EditOutcome apply_spans(std::string_view content, std::vector<Span> spans,
                        const std::vector<int>& levels, std::string_view path);

// The texts for an edit that cannot be applied.
std::string no_match_text(std::string_view content, std::string_view old_text,
                          std::string_view path);
std::string many_text(std::string_view content, const std::vector<size_t>& places,
                      std::string_view path);
std::string done_text(std::string_view content, size_t at);

// `ok: {n} edit(s) in {path}{note}` and the lines of `after` that hold a byte of `spans` (pairs of
// begin and end), with one line on either side.
std::string edit_result_text(std::string_view after,
                             const std::vector<std::pair<size_t, size_t>>& spans, size_t edit_count,
                             std::string_view path, std::string_view note);

}  // namespace levin::tools
