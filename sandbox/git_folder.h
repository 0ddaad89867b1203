// What in a git folder (a repository, of a submodule or worktree too) can make git start a program
// or read another folder. Pure parts: they see text and names, not files.
#pragma once

#include <string>
#include <string_view>

namespace levin::sandbox {

// True when every key that the text of a git configuration sets is known to start nothing: what
// `git init`, `clone`, `remote add`, `branch` and `submodule add` write, and names of users. Whatever
// is unknown, or cannot be read with certainty, is not inert.
bool is_inert_git_config(std::string_view text);

// True for files of `hooks/` that git does not run: the samples that `git init` lays there.
bool is_sample_hook(std::string_view name);

// Where a `.git` file leads, "" when its text is no "gitdir: PATH".
std::string git_file_target(std::string_view text);

}  // namespace levin::sandbox
