// SEARCH/REPLACE blocks.
#include <algorithm>

#include "tools/patch.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_marker(std::string_view line, char sign, size_t size, std::string_view word) {
  line = without_return(line);
  const size_t signs = std::min(line.find_first_not_of(sign), line.size());
  return signs == size && stripped(line.substr(signs)) == word;
}

bool is_fence(std::string_view line) {
  const std::string_view bare = stripped(line);
  return bare.starts_with("```") || bare.starts_with("~~~");
}

// A word that could be a file's name: it has an ending or lies in a folder.
bool looks_like_path(std::string_view word) {
  if (word.empty() || word.size() > 4096 || word == "." || word == "..") return false;
  if (word.find_first_of("<>|*?\"'(){};=") != std::string_view::npos) return false;
  if (word.find("://") != std::string_view::npos) return false;
  const size_t slash = word.find('/');
  const size_t dot = word.rfind('.');
  if (slash != std::string_view::npos) return word.size() > 1;
  return dot != std::string_view::npos && dot + 1 < word.size();
}

std::string_view bare_word(std::string_view word) {
  constexpr std::string_view kAround = "`*\"'#:,;()[]";
  const size_t first = std::min(word.find_first_not_of(kAround), word.size());
  word.remove_prefix(first);
  word = word.substr(0, word.find_last_not_of(kAround) + 1);
  return word;
}

// The name in a fence's own line: ```src/a.py, ```python:src/a.py, ```python path=src/a.py.
std::string path_in_fence(std::string_view line) {
  std::string_view info = stripped(line);
  info.remove_prefix(std::min(info.find_first_not_of("`~"), info.size()));
  std::string found;
  while (!info.empty()) {
    const size_t end = std::min(info.find(' '), info.size());
    std::string_view word = info.substr(0, end);
    info.remove_prefix(std::min(end + 1, info.size()));
    if (const size_t mark = word.find_first_of(":="); mark != std::string_view::npos)
      word.remove_prefix(mark + 1);
    word = bare_word(word);
    if (looks_like_path(word)) found = std::string(word);
  }
  return found;
}

}  // namespace

std::string path_in_prose(std::string_view line) {
  line = stripped(line);
  // A name alone in its line needs no ending: Makefile.
  std::string_view alone = bare_word(line);
  if (alone.starts_with(' ')) alone = stripped(alone);
  const bool marked = line.starts_with('`') || line.starts_with('*') || line.starts_with('#');
  const bool one_word = alone.find_first_of(" \t") == std::string_view::npos;
  if (one_word && (looks_like_path(alone) || (marked && !alone.empty()))) return std::string(alone);
  std::string found;
  while (!line.empty()) {
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view word = bare_word(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
    if (!looks_like_path(word)) continue;
    if (!found.empty() && found != word) return "";  // Two names: which is meant is a guess.
    found = std::string(word);
  }
  return found;
}

std::string path_above(const std::vector<std::string_view>& lines, size_t at) {
  const auto blank = [&](size_t index) { return stripped(lines[index]).empty(); };
  if (at == 0) return "";
  size_t above = at - 1;
  if (!is_fence(lines[above])) {
    while (above > 0 && blank(above)) --above;
    if (is_fence(lines[above]) && above + 1 < at) return "";  // The fence of an earlier block.
    if (is_marker(lines[above], '>', 7, "REPLACE")) return "";
    // Inside a fence a name stands alone, which "Makefile" does as well.
    const std::string_view line = stripped(lines[above]);
    const bool word = above > 0 && is_fence(lines[above - 1]) && !line.empty() &&
                      line.find_first_of(" \t") == std::string_view::npos;
    const std::string named = path_in_prose(line);
    return named.empty() && word ? std::string(bare_word(line)) : named;
  }
  if (std::string named = path_in_fence(lines[above]); !named.empty()) return named;
  if (above == 0) return "";
  --above;
  while (above > 0 && blank(above)) --above;
  return is_fence(lines[above]) ? "" : path_in_prose(lines[above]);
}

ParsedPatch read_block(const std::vector<std::string_view>& lines, size_t at,
                       const std::string& path) {
  ParsedPatch result;
  const size_t size = lines[at].find(' ');
  std::string old_text;
  std::string new_text;
  size_t dividers = 0;
  size_t line = at + 1;
  for (; line < lines.size() && !is_marker(lines[line], '>', size, "REPLACE"); ++line) {
    if (is_marker(lines[line], '=', size, "")) {
      ++dividers;
    } else if (patch_form_at(lines, line) == PatchForm::kBlock) {
      break;
    } else {
      std::string& side = dividers == 0 ? old_text : new_text;
      side += std::string(without_return(lines[line])) + '\n';
    }
  }
  const std::string where = "line " + std::to_string(at + 1) + ": the SEARCH block ";
  const bool closed = line < lines.size() && is_marker(lines[line], '>', size, "REPLACE");
  result.lines_read = line - at + (closed ? 1 : 0);
  if (!closed) {
    result.problem = where + "has no end; expected >>>>>>> REPLACE";
  } else if (dividers != 1) {
    result.problem = where + "has " + std::to_string(dividers) + " lines =======; expected one";
  } else if (path.empty()) {
    result.problem = where + "names no file; write its path in the line before it";
  }
  if (!result.problem.empty()) return result;
  FileOperation operation;
  operation.form = FileOperation::Form::kBlocks;
  operation.path = path;
  operation.edits.push_back({std::move(old_text), std::move(new_text), false, true});
  result.operations.push_back(std::move(operation));
  return result;
}

}  // namespace levin::tools
