#include "tests/tidy/source_tree.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

namespace levin::tidy {
namespace {

namespace fs = std::filesystem;

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// Empty when there is no git, no checkout, or git refuses (a folder of another user).
std::vector<std::string> git_files(const std::string& root) {
  const std::string command = "git -C " + shell_quoted(root) +
                              " ls-files -z --cached --others --exclude-standard 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  if (!pipe) return {};
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t count = fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    output.append(buffer.data(), count);
  }
  std::vector<std::string> paths;
  std::istringstream stream(output);
  for (std::string path; std::getline(stream, path, '\0');) {
    if (fs::is_regular_file(fs::path(root) / path)) paths.push_back(path);
  }
  return paths;
}

std::vector<std::string> folder_files(const std::string& root) {
  std::vector<std::string> paths;
  for (auto entry = fs::recursive_directory_iterator(root);
       entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string path = fs::relative(entry->path(), root).generic_string();
    const std::string name = entry->path().filename().string();
    if (entry->is_directory()) {
      if (path == "build" || name == ".git" || name == "__pycache__") {
        entry.disable_recursion_pending();
      }
    } else if (entry->is_regular_file()) {
      paths.push_back(path);
    }
  }
  return paths;
}

std::string read_text(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  std::string text = std::move(content).str();
  if (text.find('\0') != std::string::npos) text.clear();
  return text;
}

}  // namespace

SourceTree make_tree(std::vector<File> files) {
  SourceTree tree;
  for (const File& file : files) {
    tree.paths.insert(file.path);
    for (fs::path folder = fs::path(file.path).parent_path(); !folder.empty();
         folder = folder.parent_path()) {
      tree.folders.insert(folder.generic_string());
    }
  }
  tree.files = std::move(files);
  return tree;
}

SourceTree read_tree(const std::string& root) {
  std::vector<std::string> paths = git_files(root);
  if (paths.empty()) paths = folder_files(root);
  std::sort(paths.begin(), paths.end());
  std::vector<File> files;
  for (const std::string& path : paths) {
    const bool binary = path.ends_with(".safetensors") || path.ends_with(".gguf");
    files.push_back({path, binary ? std::string() : read_text(fs::path(root) / path)});
  }
  return make_tree(std::move(files));
}

}  // namespace levin::tidy
