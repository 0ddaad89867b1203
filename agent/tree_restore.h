// Makes a work tree what a manifest says, one file at a time and each by renaming. Touches only
// what the two manifests name; never follows a link.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "agent/tree_manifest.h"
#include "tools/gitignore.h"

namespace levin::agent {

struct RestoreParts {
  int root = -1;  // Descriptor of the work tree.
  const Manifest* now = nullptr;
  const Manifest* target = nullptr;
  const std::set<std::string>* removable_folders = nullptr;  // Removed when they end up empty.
  const tools::IgnoreRules* rules = nullptr;  // Of the target: what they name is never removed.
  std::function<Result<std::string>(const ObjectId&)> content;
  std::function<bool()> go_on;  // Asked before each change; false stops with kInterrupted.
};

struct RestoreReport {
  size_t written = 0;  // Files and links.
  size_t removed = 0;
  size_t modes_changed = 0;
  std::vector<std::string> left_alone;  // "path: why": the target could not be reached.
  std::vector<std::string> notes;       // Repositories inside the work tree that differ.
};

// Errors: kInterrupted, kIo. What was done until then stays; doing it again finishes.
Result<RestoreReport> restore_tree(const RestoreParts& parts);

// Removes the file that a killed restore left in `folder` ("" or "a/b/").
void remove_leftover(int root, const std::string& folder);

}  // namespace levin::agent
