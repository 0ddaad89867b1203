// The rules that the tree obeys, each a function from files to findings. No rule knows the file
// system, so that each can be shown to bite on bad input (rules_test.cpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/source_tree.h"

namespace levin::tidy {

struct Finding {
  std::string rule;  // As the allow-list spells it.
  std::string path;
  size_t line = 0;  // 0: the whole file.
  std::string message;
};

using Findings = std::vector<Finding>;

inline constexpr size_t kFileLinesMax = 600;
inline constexpr size_t kCudaFileLinesMax = 800;
inline constexpr size_t kFunctionLinesMax = 70;

// base <- kernels <- engine <- agent; base <- sandbox <- tools <- agent; nothing includes tests/ or
// examples/. Includes are written from the root.
Findings check_layers(const SourceTree& tree);
// Headers in subfolders (kernels/cpu/...) and *_impl.h belong to their folder.
Findings check_private_headers(const SourceTree& tree);
Findings check_file_length(const SourceTree& tree);
Findings check_function_length(const SourceTree& tree);
// std::cout, system(), rand(), using namespace, shared_ptr without a reason beside it.
Findings check_banned_words(const SourceTree& tree);
Findings check_pragma_once(const SourceTree& tree);
// No tabs, no blanks at the end of a line, a newline at the end of the file.
Findings check_whitespace(const SourceTree& tree);
// Each relative link in a .md file leads to a file or folder of the tree.
Findings check_links(const SourceTree& tree);
// No paths of one machine in text files. tests/ is free to use them as data.
Findings check_machine_paths(const SourceTree& tree);
Findings check_top_level(const SourceTree& tree);

Findings check_all(const SourceTree& tree);

// One line of allowed.txt: a rule and a path that may break it.
struct Allowance {
  std::string rule;
  std::string path;
};

// `rule path # reason`, one a line; blank lines and lines that begin with # are comments.
// A line without all three parts is a finding.
std::vector<Allowance> parse_allowances(std::string_view text, Findings& findings);

// Removes what is allowed. An allowance that allows nothing is a finding: the list only shrinks.
Findings apply_allowances(const Findings& findings, const std::vector<Allowance>& allowances);

}  // namespace levin::tidy
