// One folder of a tree, read under the ignore rules in force there. What both walks of
// tools/file_tree.h are made of.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "tools/file_tree.h"
#include "tools/gitignore.h"
#include "tools/workspace.h"

namespace levin::tools {

// As ripgrep: what a .ignore says goes before what a .gitignore says, whichever lies deeper.
struct TreeRules {
  IgnoreRules git;
  IgnoreRules own;

  Verdict verdict(std::string_view path, bool is_folder) const {
    const Verdict first = own.verdict(path, is_folder);
    return first != Verdict::kNone ? first : git.verdict(path, is_folder);
  }
};

// Shared: a folder without rules of its own uses those of its parent, from several threads.
using SharedRules = std::shared_ptr<const TreeRules>;

struct TreeFolder {
  UniqueFd fd;                       // Open for reading.
  std::string prefix;                // "" or "a/b/".
  SharedRules rules;                 // Those for its entries.
  std::vector<FolderEntry> entries;  // Regular files and folders that are not left out, unordered.
};

// Reads the folder open at `fd`. `outer`: the rules of the folders above it.
Result<TreeFolder> read_tree_folder(UniqueFd fd, std::string prefix, const SharedRules& outer,
                                    TreeOptions options);

// Opens `start` with the rules of the folders above it. Errors: as Workspace::find(); kNotFound
// when it is no folder.
Result<TreeFolder> open_tree(const Workspace& workspace, std::string_view start,
                             TreeOptions options);

// Opens a folder for read_tree_folder; never follows a link.
UniqueFd open_subfolder(int parent, const std::string& name);

}  // namespace levin::tools
