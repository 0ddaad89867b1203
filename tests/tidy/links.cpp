// The link rule: enough Markdown to find links, and no more.
#include <cctype>
#include <filesystem>

#include "tests/tidy/rules.h"
#include "tests/tidy/scanner.h"

namespace levin::tidy {
namespace {

// Blanks what stands between backticks on one line: code is not a link.
std::string without_code_spans(std::string_view line) {
  std::string result(line);
  size_t open = result.find('`');
  while (open != std::string::npos) {
    const size_t close = result.find('`', open + 1);
    if (close == std::string::npos) break;
    for (size_t i = open; i <= close; ++i) result[i] = ' ';
    open = result.find('`', close + 1);
  }
  return result;
}

// `path#anchor "title"` -> `path`.
std::string bare_target(std::string target) {
  if (target.starts_with('<')) {
    target = target.substr(1, target.find('>') - 1);
  } else {
    target.resize(std::min(target.find(' '), target.size()));
  }
  target.resize(std::min(target.find('#'), target.size()));
  return target;
}

std::vector<std::string> targets_in(const std::string& line) {
  std::vector<std::string> targets;
  for (size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 2)) {
    const size_t close = line.find(')', at);
    if (close != std::string::npos) targets.push_back(line.substr(at + 2, close - at - 2));
  }
  // `[name]: target` at the beginning of a line.
  const size_t reference = line.find("]: ");
  if (line.starts_with('[') && reference != std::string::npos) {
    targets.push_back(line.substr(reference + 3));
  }
  return targets;
}

// True for https:, mailto: and the like.
bool has_scheme(const std::string& target) {
  const size_t colon = target.find(':');
  if (colon == std::string::npos || colon == 0) return false;
  for (size_t i = 0; i < colon; ++i) {
    if (std::isalpha(static_cast<unsigned char>(target[i])) == 0) return false;
  }
  return true;
}

bool resolves(const SourceTree& tree, const std::string& from, const std::string& target) {
  namespace fs = std::filesystem;
  if (target.starts_with('/')) return false;
  std::string path = (fs::path(from).parent_path() / target).lexically_normal().generic_string();
  if (path.ends_with('/')) path.pop_back();
  return path == "." || tree.paths.contains(path) || tree.folders.contains(path);
}

}  // namespace

Findings check_links(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    if (!file.path.ends_with(".md")) continue;
    bool fenced = false;
    const auto lines = lines_of(file.text);
    for (size_t i = 0; i < lines.size(); ++i) {
      const size_t first = lines[i].find_first_not_of(' ');
      if (first != std::string_view::npos && lines[i].substr(first).starts_with("```")) {
        fenced = !fenced;
      }
      if (fenced) continue;
      for (const std::string& raw : targets_in(without_code_spans(lines[i]))) {
        const std::string target = bare_target(raw);
        if (target.empty() || has_scheme(target) || resolves(tree, file.path, target)) continue;
        findings.push_back({"link", file.path, i + 1, "leads nowhere: " + target});
      }
    }
  }
  return findings;
}

}  // namespace levin::tidy
