#include "tools/patch.h"

#include <algorithm>

#include "tools/text_lines.h"

namespace levin::tools {
namespace {

std::string joined(const std::vector<PatchLine>& lines, char left_out) {
  std::string text;
  for (const PatchLine& line : lines) {
    if (line.kind != left_out) text += line.text + '\n';
  }
  return text;
}

bool is_block_start(std::string_view line) {
  const size_t size = std::min(line.find_first_not_of('<'), line.size());
  return size >= 5 && size <= 9 && stripped(line.substr(size)) == "SEARCH" &&
         line.substr(size).starts_with(' ');
}

void append(ParsedPatch& all, ParsedPatch one) {
  for (FileOperation& operation : one.operations) {
    // Blocks for one file in a row are the edits of one call.
    const bool joins = !all.operations.empty() && operation.form == FileOperation::Form::kBlocks &&
                       operation.kind == FileOperation::Kind::kUpdate &&
                       all.operations.back().form == FileOperation::Form::kBlocks &&
                       all.operations.back().kind == FileOperation::Kind::kUpdate &&
                       all.operations.back().path == operation.path;
    if (joins) {
      all.operations.back().edits.push_back(std::move(operation.edits.front()));
    } else {
      all.operations.push_back(std::move(operation));
    }
  }
  if (all.problem.empty()) all.problem = std::move(one.problem);
}

}  // namespace

bool PatchHunk::changes() const {
  if (old_lacks_newline != new_lacks_newline) return true;
  return std::any_of(lines.begin(), lines.end(),
                     [](const PatchLine& one) { return one.kind != ' '; });
}

std::string PatchHunk::old_text() const {
  return joined(lines, '+');
}

std::string PatchHunk::new_text() const {
  return joined(lines, '-');
}

PatchForm patch_form_at(const std::vector<std::string_view>& lines, size_t at) {
  const std::string_view line = lines[at];
  if (stripped(line) == "*** Begin Patch") return PatchForm::kEnvelope;
  if (is_block_start(line)) return PatchForm::kBlock;
  if (line.starts_with("diff --git ")) return PatchForm::kDiff;
  const bool plain = line.starts_with("--- ") && at + 2 < lines.size() &&
                     lines[at + 1].starts_with("+++ ") && lines[at + 2].starts_with("@@");
  return plain ? PatchForm::kDiff : PatchForm::kNone;
}

ParsedPatch parse_patch(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  ParsedPatch all;
  std::string path;
  for (size_t at = 0; at < lines.size() && all.problem.empty();) {
    ParsedPatch one;
    switch (patch_form_at(lines, at)) {
      case PatchForm::kNone:
        ++at;
        continue;
      case PatchForm::kEnvelope:
        one = read_envelope(lines, at);
        break;
      case PatchForm::kDiff:
        one = read_diff(lines, at);
        break;
      case PatchForm::kBlock:
        if (std::string named = path_above(lines, at); !named.empty()) path = std::move(named);
        one = read_block(lines, at, path);
        break;
    }
    at += std::max<size_t>(one.lines_read, 1);
    append(all, std::move(one));
  }
  if (all.operations.empty() && all.problem.empty()) {
    all.problem =
        "no patch found; expected *** Begin Patch, a unified diff or <<<<<<< SEARCH blocks";
  }
  all.lines_read = lines.size();
  return all;
}

}  // namespace levin::tools
