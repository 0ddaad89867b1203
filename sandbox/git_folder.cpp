#include "sandbox/git_folder.h"

#include <algorithm>
#include <cctype>

namespace levin::sandbox {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](unsigned char byte) { return static_cast<char>(std::tolower(byte)); });
  return result;
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// `section.key`, in small letters. Subsections (names of remotes, branches, submodules) decide
// nothing.
constexpr std::string_view kInertKeys[] = {"core.repositoryformatversion",
                                           "core.filemode",
                                           "core.bare",
                                           "core.logallrefupdates",
                                           "core.ignorecase",
                                           "core.precomposeunicode",
                                           "core.symlinks",
                                           "core.autocrlf",
                                           "core.eol",
                                           "core.sharedrepository",
                                           "extensions.objectformat",
                                           "extensions.worktreeconfig",
                                           "init.defaultbranch",
                                           "user.name",
                                           "user.email",
                                           "commit.gpgsign",
                                           "tag.gpgsign",
                                           "gc.auto",
                                           "pull.rebase",
                                           "remote.fetch",
                                           "remote.tagopt",
                                           "remote.prune",
                                           "branch.remote",
                                           "branch.merge",
                                           "branch.rebase",
                                           "branch.description",
                                           "submodule.active"};

// A URL that git reaches by itself; "ext::" and other helpers start programs, and so does a path
// to another repository by what that one's configuration says.
bool is_inert_url(std::string_view value) {
  if (value.find("::") != std::string_view::npos) return false;
  return value.starts_with("https://") || value.starts_with("http://") ||
         value.starts_with("ssh://") || value.starts_with("git://") || value.starts_with("git@") ||
         value.starts_with("/") || value.starts_with("./") || value.starts_with("../") ||
         value.starts_with("file://");
}

bool is_inert(const std::string& section, std::string_view line) {
  const size_t equals = line.find('=');
  const std::string key = section + '.' + lower(trimmed(line.substr(0, equals)));
  if (std::ranges::find(kInertKeys, key) != std::end(kInertKeys)) return true;
  if (key == "remote.url" || key == "remote.pushurl" || key == "submodule.url") {
    return equals != std::string_view::npos && is_inert_url(trimmed(line.substr(equals + 1)));
  }
  // Up to the folder that holds the git folder of a submodule: `../../../vendor/x`.
  return key == "core.worktree" && equals != std::string_view::npos &&
         trimmed(line.substr(equals + 1)).starts_with("../");
}

}  // namespace

bool is_inert_git_config(std::string_view text) {
  std::string section;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    // A continued line could hide a key from us that git sees.
    if (line.ends_with('\\')) return false;
    if (line[0] != '[') {
      if (section.empty() || !is_inert(section, line)) return false;
      continue;
    }
    // "[name]" or "[name "sub"]" alone on its line; "[name] key = value" is legal, but rare.
    if (!line.ends_with(']') || std::ranges::count(line, ']') != 1) return false;
    const std::string_view inside = line.substr(1, line.size() - 2);
    section = lower(inside.substr(0, inside.find_first_of(" \t\".")));
  }
  return true;
}

bool is_sample_hook(std::string_view name) {
  return name.ends_with(".sample");
}

std::string git_file_target(std::string_view text) {
  constexpr std::string_view kHead = "gitdir: ";
  if (!text.starts_with(kHead)) return "";
  text.remove_prefix(kHead.size());
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace levin::sandbox
