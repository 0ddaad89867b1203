#include "agent/reply_edits.h"

#include <algorithm>

#include "tools/text_lines.h"

namespace levin::agent {
namespace {

using Lines = std::vector<std::string_view>;
using Form = tools::FileOperation::Form;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return result;
}

// Blocks join the group of their file; a patch is a group of its own.
void add(std::vector<EditGroup>& groups, tools::ParsedPatch one, bool is_block) {
  if (!one.problem.empty()) {
    groups.push_back({{}, std::move(one.problem)});
    return;
  }
  if (is_block) {
    for (EditGroup& group : groups) {
      if (!group.problem.empty() || group.operations.front().form != Form::kBlocks) continue;
      if (group.operations.front().path != one.operations.front().path) continue;
      group.operations.front().edits.push_back(std::move(one.operations.front().edits.front()));
      return;
    }
  }
  groups.push_back({std::move(one.operations), ""});
}

std::vector<EditGroup> find_groups(const Lines& lines) {
  std::vector<EditGroup> groups;
  std::string path;  // Of the last block: further ones need not name it again.
  for (size_t at = 0; at < lines.size();) {
    tools::ParsedPatch one;
    bool is_block = false;
    switch (tools::patch_form_at(lines, at)) {
      case tools::PatchForm::kNone:
        ++at;
        continue;
      case tools::PatchForm::kEnvelope:
        one = tools::read_envelope(lines, at);
        break;
      case tools::PatchForm::kDiff:
        one = tools::read_diff(lines, at);
        break;
      case tools::PatchForm::kBlock:
        if (std::string named = tools::path_above(lines, at); !named.empty()) path = named;
        one = tools::read_block(lines, at, path);
        is_block = true;
        break;
    }
    at += std::max<size_t>(one.lines_read, 1);
    add(groups, std::move(one), is_block);
  }
  return groups;
}

bool begins_page(std::string_view line) {
  const std::string text = lower(tools::stripped(line));
  return text.starts_with("<!doctype html") || text == "<html>" || text.starts_with("<html ");
}

bool is_fence(std::string_view line) {
  return tools::stripped(line).starts_with("```");
}

bool is_html_path(std::string_view path) {
  return path.ends_with(".html") || path.ends_with(".htm");
}

// The first page of the prose: from its first line to the fence's end, to `</html>`, or to the end
// of a reply that is nothing else.
std::optional<HtmlPage> find_page(const Lines& lines) {
  size_t first = 0;
  while (first < lines.size() && !begins_page(lines[first])) ++first;
  if (first == lines.size()) return std::nullopt;
  HtmlPage page;
  bool complete = false;
  for (size_t at = first; at < lines.size() && !complete; ++at) {
    page.content += std::string(lines[at]) + '\n';
    complete = lower(tools::stripped(lines[at])).ends_with("</html>");
  }
  // A page that was cut, or a snippet in an explanation, is no file.
  if (!complete) return std::nullopt;
  page.path = tools::path_above(lines, first);
  if (!is_html_path(page.path) && first > 0 && is_fence(lines[first - 1])) page.path.clear();
  if (!is_html_path(page.path)) page.path = "index.html";
  return page;
}

}  // namespace

ReplyEdits find_reply_edits(std::string_view content) {
  const Lines lines = tools::lines_of(content);
  ReplyEdits edits;
  edits.groups = find_groups(lines);
  if (edits.groups.empty()) edits.page = find_page(lines);
  return edits;
}

}  // namespace levin::agent
