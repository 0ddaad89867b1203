#include "tools/file_tree.h"

#include <fcntl.h>

#include <algorithm>

#include "tools/gitignore.h"

namespace levin::tools {
namespace {

// Empty when there is none: a folder without rules is the usual case.
std::string read_rules(int folder, const std::string& name) {
  UniqueFd fd = open_component(folder, name, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
  Result<std::string> text = read_descriptor(fd.get(), kIgnoreFileBytesMax, name);
  return text ? *std::move(text) : "";
}

void add_rules_of(IgnoreRules& rules, int folder, const std::string& prefix) {
  const std::string text = read_rules(folder, ".gitignore");
  if (!text.empty()) rules.add(text, prefix);
}

class TreeVisitor {
 public:
  TreeVisitor(const Workspace& workspace, TreeOptions options,
              const std::function<bool(const TreeFile&)>& visit)
      : workspace_(workspace), options_(options), visit_(visit) {}

  // Returns false when the walk shall end.
  bool folder(const Place& place, const std::string& prefix, IgnoreRules rules, int depth) {
    if (depth > kTreeDepthMax) return true;
    Result<std::vector<FolderEntry>> entries = workspace_.list_folder(place);
    if (!entries) return true;
    const bool has_rules = std::any_of(entries->begin(), entries->end(), [](const auto& entry) {
      return entry.name == ".gitignore";
    });
    if (has_rules) add_rules_of(rules, place.entry.get(), prefix);
    // A folder sorts as its name with the slash that follows in the paths below it.
    const auto key = [](const FolderEntry& entry) {
      return entry.is_folder ? entry.name + "/" : entry.name;
    };
    std::sort(entries->begin(), entries->end(),
              [&](const FolderEntry& a, const FolderEntry& b) { return key(a) < key(b); });
    for (const FolderEntry& entry : *entries) {
      if (!one(place, prefix, rules, entry, depth)) return false;
    }
    return true;
  }

 private:
  bool one(const Place& place, const std::string& prefix, const IgnoreRules& rules,
           const FolderEntry& entry, int depth) {
    if (entry.name == ".git" || (entry.is_folder && entry.name == "__pycache__")) return true;
    if (!options_.hidden && entry.name.front() == '.') return true;
    const std::string path = prefix.empty() ? entry.name : prefix + "/" + entry.name;
    if (rules.ignored(path, entry.is_folder)) return true;
    if (!entry.is_folder) {
      // Whoever opens it checks its kind again.
      if (!entry.is_file) return true;
      if (++files_ > kTreeFilesMax) return false;
      return visit_(TreeFile{place.entry.get(), entry.name, path});
    }
    Place child;
    child.entry = open_component(place.entry.get(), entry.name, O_PATH);
    if (!child.entry || ::fstat(child.entry.get(), &child.status) != 0) return true;
    child.path = path;
    return child.is_folder() ? folder(child, path, rules, depth + 1) : true;
  }

  const Workspace& workspace_;
  TreeOptions options_;
  const std::function<bool(const TreeFile&)>& visit_;
  size_t files_ = 0;
};

// Rules of the folders above `path`, from the root down.
IgnoreRules rules_above(const Workspace& workspace, const std::string& path) {
  IgnoreRules rules;
  const auto add_folder = [&](const std::string& folder) {
    Result<Place> place = workspace.find(folder.empty() ? "." : folder);
    if (place && place->is_folder()) add_rules_of(rules, place->entry.get(), folder);
  };
  if (Result<FileData> own = workspace.load(".git/info/exclude", kIgnoreFileBytesMax); own) {
    rules.add(own->content, "");
  }
  if (path == ".") return rules;
  add_folder("");
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    add_folder(path.substr(0, slash));
  }
  return rules;
}

}  // namespace

Result<void> visit_files(const Workspace& workspace, std::string_view start, TreeOptions options,
                         const std::function<bool(const TreeFile&)>& visit) {
  TRY_ASSIGN(Place place, workspace.find(start));
  if (!place.is_folder()) return Error(ErrorCode::kNotFound, "no folder " + std::string(start));
  const std::string prefix = place.path == "." ? "" : place.path;
  TreeVisitor visitor(workspace, options, visit);
  visitor.folder(place, prefix, rules_above(workspace, place.path), 0);
  return {};
}

std::vector<std::string> list_files(const Workspace& workspace) {
  std::vector<std::string> paths;
  const Result<void> result =
      visit_files(workspace, ".", {.hidden = true}, [&](const TreeFile& file) {
        paths.push_back(file.path);
        return true;
      });
  if (!result) paths.clear();
  return paths;
}

}  // namespace levin::tools
