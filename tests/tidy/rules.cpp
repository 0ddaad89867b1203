#include "tests/tidy/rules.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <sstream>

#include "tests/tidy/scanner.h"

namespace levin::tidy {
namespace {

bool has_suffix(std::string_view path, std::initializer_list<std::string_view> suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](std::string_view suffix) { return path.ends_with(suffix); });
}

bool is_header(std::string_view path) {
  return has_suffix(path, {".h", ".cuh"});
}
bool is_cuda(std::string_view path) {
  return has_suffix(path, {".cu", ".cuh"});
}
bool is_cpp(std::string_view path) {
  return has_suffix(path, {".h", ".cpp", ".cu", ".cuh"});
}

std::string top_folder(std::string_view path) {
  const size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

size_t line_at(std::string_view text, size_t position) {
  return 1 + static_cast<size_t>(
                 std::count(text.begin(), text.begin() + static_cast<long>(position), '\n'));
}

// Goldens are data: bytes that other programs wrote.
bool is_data(std::string_view path) {
  return path.starts_with("tests/golden/") || path.starts_with("engine/models/");
}

struct Include {
  size_t line;
  bool quoted;
  std::string target;
};

std::vector<Include> includes_of(const File& file) {
  std::vector<Include> includes;
  const std::string code = split(file.text).code;
  const auto code_lines = lines_of(code);
  const auto text_lines = lines_of(file.text);
  for (size_t i = 0; i < code_lines.size(); ++i) {
    std::istringstream words{std::string(code_lines[i])};
    std::string word;
    words >> word;
    if (word == "#") {
      words >> word;
      word.insert(0, 1, '#');
    }
    if (!word.starts_with("#include")) continue;
    const std::string_view line = text_lines[i];
    const size_t open = line.find_first_of("\"<");
    if (open == std::string_view::npos) continue;
    const size_t close = line.find_first_of("\">", open + 1);
    if (close == std::string_view::npos) continue;
    includes.push_back(
        {i + 1, line[open] == '"', std::string(line.substr(open + 1, close - open - 1))});
  }
  return includes;
}

// Which folders each folder may include.
const std::map<std::string, std::set<std::string>>& layers() {
  static const std::map<std::string, std::set<std::string>> kLayers = {
      {"base", {"base"}},
      {"kernels", {"base", "kernels"}},
      {"engine", {"base", "kernels", "engine"}},
      {"sandbox", {"base", "sandbox"}},
      {"tools", {"base", "sandbox", "tools"}},
      {"agent", {"base", "kernels", "engine", "sandbox", "tools", "agent"}},
      {"examples", {"base", "kernels", "engine", "sandbox", "tools", "agent", "examples"}},
      {"tests", {"base", "kernels", "engine", "sandbox", "tools", "agent", "examples", "tests"}},
  };
  return kLayers;
}

// The identifier that ends `code`, blanks aside; empty when something else does.
std::string_view last_word(std::string_view code) {
  size_t end = code.size();
  while (end > 0 && (code[end - 1] == ' ' || code[end - 1] == '\n')) --end;
  size_t begin = end;
  while (begin > 0 && is_identifier_character(code[begin - 1])) --begin;
  return code.substr(begin, end - begin);
}

// A call of the C function: `name(` that is no member, no other namespace's function and no
// declaration (`std::string system(text)`).
bool is_c_call(std::string_view code, size_t at, std::string_view name) {
  size_t end = at + name.size();
  while (end < code.size() && code[end] == ' ') ++end;
  if (end >= code.size() || code[end] != '(') return false;
  const std::string_view before = code.substr(0, at);
  if (before.ends_with(".") || before.ends_with("->")) return false;
  if (before.ends_with("::") && !before.ends_with("std::")) {
    // `::system(` is the C function, `Prompt::system(` is not.
    return before.size() == 2 || !is_identifier_character(before[before.size() - 3]);
  }
  static const std::set<std::string_view> kBeforeCall = {
      "", "return", "else", "do", "throw", "case", "co_return", "co_yield"};
  return before.ends_with("std::") || kBeforeCall.contains(last_word(before));
}

class WordCheck {
 public:
  explicit WordCheck(const File& file)
      : path_(file.path),
        folder_(top_folder(file.path)),
        views_(split(file.text)),
        comment_lines_(lines_of(views_.comments)) {}

  Findings run() {
    const bool prints = folder_ == "agent" || folder_ == "tests" || folder_ == "examples";
    if (!prints) ban("std::cout", "printing belongs to agent/");
    if (folder_ != "tests") ban_using_namespace();
    for (const char* name : {"system", "rand", "srand"}) {
      for (const size_t at : find_word(views_.code, name)) {
        if (is_c_call(views_.code, at, name)) report(at, std::string(name) + "() is banned");
      }
    }
    for (const size_t at : find_word(views_.code, "shared_ptr")) {
      if (!commented(line_at(views_.code, at))) {
        report(at, "shared_ptr needs its reason in a comment on this line or the one before");
      }
    }
    return std::move(findings_);
  }

 private:
  void ban(std::string_view word, const std::string& why) {
    for (const size_t at : find_word(views_.code, word)) {
      report(at, std::string(word) + ": " + why);
    }
  }

  // Literals can't be had otherwise.
  void ban_using_namespace() {
    for (const size_t at : find_word(views_.code, "using namespace")) {
      const size_t end = views_.code.find(';', at);
      const std::string_view name = std::string_view(views_.code).substr(at, end - at);
      if (!name.ends_with("literals")) report(at, "using namespace: allowed in tests/ only");
    }
  }

  bool commented(size_t line) const {
    const auto has_words = [&](size_t index) {
      return index < comment_lines_.size() &&
             comment_lines_[index].find_first_not_of(" /") != std::string_view::npos;
    };
    return has_words(line - 1) || (line >= 2 && has_words(line - 2));
  }

  void report(size_t at, std::string message) {
    findings_.push_back({"banned-word", path_, line_at(views_.code, at), std::move(message)});
  }

  std::string path_;
  std::string folder_;
  Views views_;
  std::vector<std::string_view> comment_lines_;
  Findings findings_;
};

bool may_be_path_character(char c) {
  return is_identifier_character(c) || c == '.' || c == '-' || c == '~' || c == '/' || c == '}' ||
         c == '*' || c == '>';
}

}  // namespace

Findings check_layers(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    const auto layer = layers().find(top_folder(file.path));
    if (!is_cpp(file.path) || layer == layers().end()) continue;
    for (const Include& include : includes_of(file)) {
      const std::string target = top_folder(include.target);
      const bool ours = layers().contains(target) && tree.paths.contains(include.target);
      if (include.quoted && !layers().contains(target)) {
        findings.push_back({"layers", file.path, include.line,
                            "\"" + include.target + "\" is not written from the root"});
      } else if (!include.quoted && ours) {
        findings.push_back(
            {"layers", file.path, include.line, "<" + include.target + "> is ours: use quotes"});
      } else if (include.quoted && !layer->second.contains(target)) {
        findings.push_back({"layers", file.path, include.line,
                            layer->first + "/ may not include \"" + include.target + "\""});
      }
    }
  }
  return findings;
}

Findings check_private_headers(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    const std::string folder = top_folder(file.path);
    if (!is_cpp(file.path) || folder == "tests") continue;
    for (const Include& include : includes_of(file)) {
      const std::string target = top_folder(include.target);
      if (!include.quoted || target == folder || target.empty()) continue;
      const bool nested = std::count(include.target.begin(), include.target.end(), '/') > 1;
      if (nested || include.target.ends_with("_impl.h")) {
        findings.push_back({"private-header", file.path, include.line,
                            "\"" + include.target + "\" belongs to " + target + "/ alone"});
      }
    }
  }
  return findings;
}

Findings check_file_length(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    if (!is_cpp(file.path)) continue;
    const size_t lines = lines_of(file.text).size();
    const size_t lines_max = is_cuda(file.path) ? kCudaFileLinesMax : kFileLinesMax;
    if (lines > lines_max) {
      findings.push_back({"file-length", file.path, 0,
                          std::to_string(lines) + " lines, at most " + std::to_string(lines_max)});
    }
  }
  return findings;
}

Findings check_function_length(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    if (!is_cpp(file.path)) continue;
    const Functions functions = find_functions(split(file.text).code);
    if (!functions.balanced) {
      findings.push_back({"function-length", file.path, 0,
                          "braces do not pair up (behind #if?), so functions can't be measured"});
    }
    for (const Function& function : functions.found) {
      if (function.lines <= kFunctionLinesMax) continue;
      findings.push_back({"function-length", file.path, function.line,
                          std::to_string(function.lines) + " lines, at most " +
                              std::to_string(kFunctionLinesMax) + ": " + function.head});
    }
  }
  return findings;
}

Findings check_banned_words(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    if (!is_cpp(file.path)) continue;
    const Findings found = WordCheck(file).run();
    findings.insert(findings.end(), found.begin(), found.end());
  }
  return findings;
}

Findings check_pragma_once(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    if (!is_header(file.path)) continue;
    const std::string code = split(file.text).code;
    const auto lines = lines_of(code);
    const bool has_pragma = std::any_of(lines.begin(), lines.end(), [](std::string_view line) {
      return line.starts_with("#pragma once");
    });
    if (!has_pragma) findings.push_back({"pragma-once", file.path, 0, "no #pragma once"});
  }
  return findings;
}

Findings check_whitespace(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    const bool text = is_cpp(file.path) || file.path == "dev" || file.path == ".ci/run" ||
                      has_suffix(file.path, {".cmake", "CMakeLists.txt", ".md", ".py", ".sh"});
    if (!text || is_data(file.path)) continue;
    const auto lines = lines_of(file.text);
    for (size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].find('\t') != std::string_view::npos) {
        findings.push_back({"whitespace", file.path, i + 1, "a tab"});
      }
      if (lines[i].ends_with(' ') || lines[i].ends_with('\r')) {
        findings.push_back({"whitespace", file.path, i + 1, "a blank at the end of the line"});
      }
    }
    if (!file.text.empty() && !file.text.ends_with('\n')) {
      findings.push_back({"whitespace", file.path, lines.size(), "no newline at the end"});
    }
  }
  return findings;
}

Findings check_machine_paths(const SourceTree& tree) {
  Findings findings;
  for (const File& file : tree.files) {
    if (file.path.starts_with("tests/")) continue;
    for (const std::string_view folder : {"/home/", "/root/", "/work/"}) {
      for (size_t at = file.text.find(folder); at != std::string::npos;
           at = file.text.find(folder, at + 1)) {
        // In the middle of a longer path it is no absolute path.
        if (at > 0 && may_be_path_character(file.text[at - 1])) continue;
        findings.push_back({"machine-path", file.path, line_at(file.text, at),
                            "a path of one machine: " + std::string(folder)});
      }
    }
  }
  return findings;
}

Findings check_top_level(const SourceTree& tree) {
  static const std::set<std::string> kAllowed = {"CMakeLists.txt",
                                                 "CMakePresets.json",
                                                 "LICENSE",
                                                 "README.md",
                                                 "dev",
                                                 "agent",
                                                 "base",
                                                 "cmake",
                                                 "docs",
                                                 "engine",
                                                 "examples",
                                                 "kernels",
                                                 "prompts",
                                                 "sandbox",
                                                 "tests",
                                                 "tools"};
  std::set<std::string> present;
  for (const std::string& path : tree.paths) present.insert(path.substr(0, path.find('/')));
  Findings findings;
  for (const std::string& name : present) {
    if (kAllowed.contains(name) || name.starts_with('.')) continue;
    findings.push_back({"top-level", name, 0, "not one of the entries at the top"});
  }
  for (const std::string& name : kAllowed) {
    if (!present.contains(name)) findings.push_back({"top-level", name, 0, "is missing"});
  }
  return findings;
}

Findings check_all(const SourceTree& tree) {
  Findings all;
  for (const auto check : {check_layers, check_private_headers, check_file_length,
                           check_function_length, check_banned_words, check_pragma_once,
                           check_whitespace, check_links, check_machine_paths, check_top_level}) {
    const Findings found = check(tree);
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

std::vector<Allowance> parse_allowances(std::string_view text, Findings& findings) {
  std::vector<Allowance> allowances;
  const auto lines = lines_of(text);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty() || lines[i].starts_with('#')) continue;
    std::istringstream words{std::string(lines[i])};
    Allowance allowance;
    std::string mark;
    std::string reason;
    words >> allowance.rule >> allowance.path >> mark >> reason;
    if (mark != "#" || reason.empty()) {
      findings.push_back(
          {"allow-list", "tests/tidy/allowed.txt", i + 1, "expected: rule path # reason"});
    } else {
      allowances.push_back(std::move(allowance));
    }
  }
  return allowances;
}

Findings apply_allowances(const Findings& findings, const std::vector<Allowance>& allowances) {
  std::vector<bool> used(allowances.size(), false);
  Findings rest;
  for (const Finding& finding : findings) {
    bool allowed = false;
    for (size_t i = 0; i < allowances.size(); ++i) {
      if (allowances[i].rule != finding.rule || allowances[i].path != finding.path) continue;
      used[i] = allowed = true;
    }
    if (!allowed) rest.push_back(finding);
  }
  for (size_t i = 0; i < allowances.size(); ++i) {
    if (used[i]) continue;
    rest.push_back({"allow-list", allowances[i].path, 0,
                    "no longer breaks '" + allowances[i].rule + "': remove it from allowed.txt"});
  }
  return rest;
}

}  // namespace levin::tidy
