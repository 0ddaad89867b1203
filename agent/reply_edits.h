// Edits that a model writes into its prose instead of calling a tool, and whole pages of HTML. Only
// reading; rules: docs/formats/reply.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/patch.h"

namespace levin::agent {

// Operations that apply together or not at all: the blocks for one file, or one patch.
struct EditGroup {
  std::vector<tools::FileOperation> operations;
  std::string problem;  // Why it cannot be read; then it is answered, not applied.
};

struct HtmlPage {
  std::string path;  // Where it says it belongs; "index.html" when it does not.
  std::string content;
};

struct ReplyEdits {
  std::vector<EditGroup> groups;
  std::optional<HtmlPage> page;  // Only in a reply without groups.
};

// `content` is a reply's prose: its reasoning is not in it and its calls are none.
ReplyEdits find_reply_edits(std::string_view content);

}  // namespace levin::agent
