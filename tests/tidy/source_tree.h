// The files of the tree as the rules see them: relative path and whole text.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace levin::tidy {

struct File {
  std::string path;  // Relative to the root, with '/'.
  std::string text;
};

struct SourceTree {
  std::vector<File> files;
  std::set<std::string> paths;    // Every file, binary ones included.
  std::set<std::string> folders;  // Every folder that holds one of them.
};

// From `git ls-files` (new files that are not ignored included) where `root` is a checkout, else
// from the folder itself without build/, .git/ and Python's caches. Binary files get no text.
SourceTree read_tree(const std::string& root);

// A tree from memory, for the rules' own tests.
SourceTree make_tree(std::vector<File> files);

}  // namespace levin::tidy
