#include "tools/tree_folder.h"

#include <fcntl.h>

namespace levin::tools {
namespace {

constexpr std::string_view kGitRules = ".gitignore";
constexpr std::string_view kOwnRules = ".ignore";

// Empty when there is none: a folder without rules is the usual case.
std::string read_rules(int folder, std::string_view name) {
  UniqueFd fd = open_component(folder, std::string(name), O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
  Result<std::string> text = read_descriptor(fd.get(), kIgnoreFileBytesMax, std::string(name));
  return text ? *std::move(text) : "";
}

struct Found {
  bool git_rules = false;
  bool own_rules = false;
  bool repository = false;

  void see(std::string_view name) {
    git_rules = git_rules || name == kGitRules;
    own_rules = own_rules || name == kOwnRules;
    repository = repository || name == ".git";
  }
  bool anything() const { return git_rules || own_rules || repository; }
};

// The rules for the entries of `folder`, whose path is `path` ("" or "a/b").
SharedRules rules_below(int folder, const std::string& path, const SharedRules& outer,
                        const Found& found) {
  // What the outer repository ignores says nothing about one that lies inside it.
  const bool is_nested = found.repository && !path.empty();
  if (!found.git_rules && !found.own_rules && !is_nested) return outer;
  auto rules = std::make_shared<TreeRules>(*outer);
  if (is_nested) rules->git = IgnoreRules();
  if (found.git_rules) rules->git.add(read_rules(folder, kGitRules), path);
  if (found.own_rules) rules->own.add(read_rules(folder, kOwnRules), path);
  return rules;
}

std::string_view without_slash(std::string_view prefix) {
  return prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1);
}

bool is_left_out(const FolderEntry& entry, const std::string& path, const TreeRules& rules,
                 TreeOptions options) {
  if (entry.name == ".git" || (entry.is_folder && entry.name == "__pycache__")) return true;
  if (!entry.is_folder && !entry.is_file) return true;
  const Verdict verdict = rules.verdict(path, entry.is_folder);
  const bool is_hidden = entry.name.front() == '.' && !options.hidden;
  return verdict == Verdict::kIgnored || (is_hidden && verdict != Verdict::kNamed);
}

}  // namespace

Result<TreeFolder> read_tree_folder(UniqueFd fd, std::string prefix, const SharedRules& outer,
                                    TreeOptions options) {
  TreeFolder folder;
  TRY_ASSIGN(folder.entries, read_folder(fd.get()));
  Found found;
  for (const FolderEntry& entry : folder.entries) found.see(entry.name);
  folder.rules = outer;
  if (found.anything()) {
    folder.rules = rules_below(fd.get(), std::string(without_slash(prefix)), outer, found);
  }
  std::string path = prefix;
  std::erase_if(folder.entries, [&](const FolderEntry& entry) {
    path.resize(prefix.size());
    path += entry.name;
    return is_left_out(entry, path, *folder.rules, options);
  });
  folder.fd = std::move(fd);
  folder.prefix = std::move(prefix);
  return folder;
}

Result<TreeFolder> open_tree(const Workspace& workspace, std::string_view start,
                             TreeOptions options) {
  TRY_ASSIGN(const Place place, workspace.find(start));
  if (!place.is_folder()) return Error(ErrorCode::kNotFound, "no folder " + std::string(start));
  auto first = std::make_shared<TreeRules>();
  if (Result<FileData> own = workspace.load(".git/info/exclude", kIgnoreFileBytesMax); own) {
    first->git.add(own->content, "");
  }
  SharedRules rules = std::move(first);
  const std::string path = place.path == "." ? "" : place.path;
  // The folders above, from the root down; the last one's rules are read with its entries.
  for (size_t end = 0; !path.empty() && end != std::string::npos;) {
    const std::string above = path.substr(0, end);
    const Result<Place> folder = workspace.find(above.empty() ? "." : above);
    if (folder && folder->is_folder()) {
      Found found;
      for (const std::string_view name : {kGitRules, kOwnRules, std::string_view(".git")}) {
        if (open_component(folder->entry.get(), std::string(name), O_PATH)) found.see(name);
      }
      rules = rules_below(folder->entry.get(), above, rules, found);
    }
    end = path.find('/', end + 1);
  }
  UniqueFd fd(::openat(place.entry.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return Error(ErrorCode::kIo, "cannot read the folder " + std::string(start));
  return read_tree_folder(std::move(fd), path.empty() ? "" : path + "/", rules, options);
}

UniqueFd open_subfolder(int parent, const std::string& name) {
  // A name out of a folder has no slash, so no more than a link at its end must be guarded against.
  return UniqueFd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace levin::tools
