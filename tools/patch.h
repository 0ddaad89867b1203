// Patches as models write them, read into one list of file operations. Three forms: SEARCH/REPLACE
// blocks, the `*** Begin Patch` envelope and unified diffs. Only reading; no files are looked at.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/edit_apply.h"

namespace levin::tools {

struct PatchLine {
  char kind = ' ';  // ' ' stays, '-' goes, '+' comes.
  std::string text;
};

// Neighbouring lines of a file that change together.
struct PatchHunk {
  std::vector<PatchLine> lines;
  std::vector<std::string> anchors;  // Lines that stand above it, outermost first.
  size_t line = 0;                   // Where it says it begins, from 1; 0: nowhere.
  bool at_end = false;               // Its last line is the file's.
  bool old_lacks_newline = false;    // The file's last line has no newline, before and after.
  bool new_lacks_newline = false;

  bool changes() const;
  std::string old_text() const;  // Its lines before and after, each with its newline.
  std::string new_text() const;
};

struct FileOperation {
  enum class Kind { kAdd, kDelete, kUpdate };
  enum class Form { kBlocks, kEnvelope, kDiff };
  Kind kind = Kind::kUpdate;
  Form form = Form::kEnvelope;
  std::string path;
  std::string other_path;  // Of a plain diff, the name before it; tried when `path` is missing.
  std::string move_to;     // Empty: it stays.
  std::string content;     // kAdd.
  std::vector<PatchHunk> hunks;    // kUpdate and kDelete.
  std::vector<Edit> edits;         // kUpdate by blocks.
  std::optional<bool> executable;  // What a diff says of the mode.
};

struct ParsedPatch {
  std::vector<FileOperation> operations;
  std::string problem;  // What is wrong with it, with the line; then nothing of it may be applied.
  size_t lines_read = 0;
};

// Where a patch begins in a text that holds other things too, and how it is written.
enum class PatchForm { kNone, kBlock, kEnvelope, kDiff };
PatchForm patch_form_at(const std::vector<std::string_view>& lines, size_t at);

// Each reads one patch that begins at line `at` (a block: its first marker; the line numbers of
// problems count from the first of `lines`) and tells how many lines it took.
ParsedPatch read_envelope(const std::vector<std::string_view>& lines, size_t at);
ParsedPatch read_diff(const std::vector<std::string_view>& lines, size_t at);
ParsedPatch read_block(const std::vector<std::string_view>& lines, size_t at,
                       const std::string& path);

// The file that a block whose first marker is line `at` is for: named in the line before it, in the
// fence's own line, or in the line before that. Empty when nothing there is a name.
std::string path_above(const std::vector<std::string_view>& lines, size_t at);

// A whole patch text in any form, with what may be around it (a heredoc, a fence).
ParsedPatch parse_patch(std::string_view text);

// A file's name without the quotes, stars, colons and headings that surround it in prose; empty
// when `line` holds none.
std::string path_in_prose(std::string_view line);

}  // namespace levin::tools
