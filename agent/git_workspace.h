// What levin asks of the user's git repository: where its work tree is, and which files differ from
// the index and HEAD. Only reads, by libgit2: no git program, hooks or filters run.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace levin::agent {

// Whether `folder` lies in a git repository, of whatever kind.
bool is_in_repository(const std::string& folder);

// The work tree that `folder` lies in, absolute and without links; outside of all repositories the
// folder itself, unless that is the home or the root folder. Errors: kInvalidArgument for those and
// for a repository without a work tree, kUnsupported when its objects are named by
// sha256; in words for the user.
Result<std::string> find_work_tree(const std::string& folder);

// Changed and untracked, not ignored files (paths relative to the work tree), each with a hash of
// its content now ("" when it was deleted). Errors: kIo with libgit2's reason.
Result<std::map<std::string, std::string>> changed_files(const std::string& work_tree);

// The first eight digits of the id that git gives this content as a file.
std::string short_content_id(std::string_view content);

}  // namespace levin::agent
