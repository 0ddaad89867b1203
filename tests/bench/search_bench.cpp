// search_bench [FILES]: a literal search over a generated tree, warm, ours and ripgrep's, as CSV.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/support/run_program.h"
#include "tools/entries.h"
#include "tools/workspace.h"

namespace {

using Clock = std::chrono::steady_clock;

double best_ms(const std::function<void()>& work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const Clock::time_point start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return best;
}

// 50 files a folder, about 2 KiB each; one in a thousand holds the text.
void make_tree(const std::string& root, int files) {
  for (int file = 0; file < files; ++file) {
    const std::string folder =
        root + "/m" + std::to_string(file / 1000) + "/d" + std::to_string(file / 50 % 20);
    if (file % 50 == 0) std::filesystem::create_directories(folder);
    std::ofstream out(folder + "/f" + std::to_string(file) + ".c");
    for (int line = 0; line < 50; ++line)
      out << "int value_" << line << " = compute(" << file << ");\n";
    if (file % 1000 == 7) out << "needle_in_hay\n";
  }
  std::ofstream(root + "/.gitignore") << "*.o\nbuild/\n*.log\n";
}

}  // namespace

int main(int argc, char** argv) {
  const int files = argc > 1 ? std::atoi(argv[1]) : 70'000;
  std::string root = (std::filesystem::temp_directory_path() / "levin-bench-XXXXXX").string();
  if (::mkdtemp(root.data()) == nullptr) return 1;
  make_tree(root, files);
  auto workspace = levin::tools::Workspace::open(root);
  if (!workspace) return 1;
  levin::tools::ToolContext context{*workspace, nullptr, nullptr, nullptr, ""};
  const nlohmann::json call{{"pattern", "needle_in_hay"}, {"literal", true}};
  const levin::tools::ToolEntry search = levin::tools::search_tool();
  std::string text;
  const double ours = best_ms([&] { text = search.run(call, context).text; });
  const double theirs = best_ms([&] {
    levin::test::run_program({"rg", "--no-config", "-F", "-n", "-S", "needle_in_hay", root});
  });
  std::cout << "files,levin_ms,rg_ms,result\n"
            << files << ',' << ours << ',' << theirs << ',' << text.substr(0, text.find('\n'))
            << std::endl;
  std::filesystem::remove_all(root);
  return 0;
}
