// index_bench LEVIN [FILES] [FOLDER]: what `LEVIN map` costs as a whole command, as CSV: cold, warm,
// after one change, with a focus. Over a generated tree of FILES files, or over FOLDER as it is (then
// one of its files gets a line, which is taken away again).
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Cost {
  double milliseconds = 0;
  double cpu_milliseconds = 0;
  long peak_kib = 0;
  bool worked = false;
};

Cost run(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const Clock::time_point start = Clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(126);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  const auto milliseconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return {std::chrono::duration<double, std::milli>(Clock::now() - start).count(),
          milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime), usage.ru_maxrss,
          WIFEXITED(status) && WEXITSTATUS(status) == 0};
}

Cost best_of(int rounds, const std::vector<std::string>& words) {
  Cost best = run(words);
  for (int round = 1; round < rounds; ++round) {
    const Cost next = run(words);
    if (next.milliseconds < best.milliseconds) best = next;
  }
  return best;
}

// Names follow a skewed distribution, as in real code: few are used everywhere.
std::string name_of(std::mt19937& random, int count) {
  const double drawn = std::uniform_real_distribution<double>(0, 1)(random);
  return "shared_function_" + std::to_string(static_cast<int>(drawn * drawn * drawn * count));
}

// About 4 KiB each of C, Python, JavaScript and Java, 25 files a folder, three levels deep.
void make_tree(const fs::path& root, int files) {
  std::mt19937 random(7);
  for (int file = 0; file < files; ++file) {
    const fs::path folder = root / ("part" + std::to_string(file / 2500)) /
                            ("module" + std::to_string(file / 25 % 100));
    if (file % 25 == 0) fs::create_directories(folder);
    static const char* const kEndings[] = {".c", ".py", ".js", ".java"};
    const int kind = file % 4;
    std::ofstream out(folder / ("file" + std::to_string(file) + kEndings[kind]));
    if (kind == 3) out << "class File" << file << " {\n";
    for (int index = 0; index < 16; ++index) {
      const std::string own = "shared_function_" + std::to_string(file * 16 + index);
      const std::string head = kind == 0   ? "int " + own + "(int value) {\n"
                               : kind == 1 ? "def " + own + "(value):\n"
                               : kind == 2 ? "function " + own + "(value) {\n"
                                           : "  int " + own + "(int value) {\n";
      out << head;
      for (int call = 0; call < 4; ++call) {
        const char* const indent = kind == 3 ? "    " : "  ";
        out << indent << "value = " << name_of(random, files * 16) << "(value + " << call << ")"
            << (kind == 1 ? "\n" : ";\n");
      }
      out << (kind == 1 ? "  return value\n\n" : "  return value;\n}\n\n");
    }
    if (kind == 3) out << "}\n";
  }
}

void print(const char* name, const Cost& cost) {
  std::cout << name << ',' << cost.milliseconds << ',' << cost.cpu_milliseconds << ','
            << cost.peak_kib / 1024 << ','
            << (cost.worked ? "ok" : "failed") << std::endl;
}

fs::path some_source(const fs::path& root) {
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string ending = entry.path().extension().string();
    if (entry.is_regular_file() && (ending == ".c" || ending == ".py" || ending == ".h")) {
      return entry.path();
    }
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: index_bench LEVIN [FILES] [FOLDER]" << std::endl;
    return 2;
  }
  const fs::path temporary = fs::temp_directory_path() / ("levin-index-bench-" + std::to_string(::getpid()));
  fs::create_directories(temporary);
  ::setenv("LEVIN_HOME", (temporary / "home").c_str(), 1);
  const fs::path root = argc > 3 ? fs::path(argv[3]) : temporary / "tree";
  if (argc <= 3) make_tree(root, argc > 2 ? std::atoi(argv[2]) : 70'000);
  const std::vector<std::string> map = {argv[1], "map", "--workspace", root.string()};
  std::cout << "what,milliseconds,cpu_milliseconds,peak_mib,outcome" << std::endl;
  print("cold", run(map));
  run(map);  // Files that were written just before the first run are read again.
  print("warm, best of 5", best_of(5, map));
  const fs::path changed = some_source(root);
  std::vector<Cost> costs;
  const auto size = fs::file_size(changed);
  for (int round = 0; round < 5; ++round) {
    std::ofstream(changed, std::ios::app) << "\n";
    costs.push_back(run(map));
  }
  fs::resize_file(changed, size);
  std::sort(costs.begin(), costs.end(),
            [](const Cost& a, const Cost& b) { return a.milliseconds < b.milliseconds; });
  print("after one change, best of 5", costs.front());
  print("after one change, median of 5", costs[2]);
  std::vector<std::string> focused = map;
  focused.insert(focused.end(), {"--focus", fs::relative(changed, root).string()});
  print("with a focus, best of 3", best_of(3, focused));
  fs::remove_all(temporary);
  return 0;
}
