// search beside the installed ripgrep over generated trees. What differs by intent is not in the
// trees: globs that bring back ignored files, UTF-16, NUL bytes after the first 64 KiB,
// __pycache__; and what `!` rules bring back of a .git folder is not compared.
#include <algorithm>
#include <cstdio>
#include <random>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/run_program.h"
#include "tests/tools/workspace_fixture.h"

namespace levin::tools {
namespace {

struct Line {
  std::string path;
  int number;
  auto operator<=>(const Line&) const = default;
};

class SearchDifferential : public ToolTest {
 protected:
  std::string pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }
  bool one_in(unsigned n) { return random_() % n == 0; }

  std::string name() {
    static const std::vector<std::string> names = {
        "a",    "b",    "src",  "build", "x y",       "ü",   "foo.c",  "b.h", "a.log", "z.tmp",
        "docs", ".cfg", ".env", "a[1]",  "foo.bar.c", "B.H", "main.c", "#x",  "lib",   "!n"};
    return pick(names);
  }

  std::string rule() {
    static const std::vector<std::string> globs = {
        "*.c",  "*.log", "b*", "?",     "[ab]",   "[!ab]*", "*.t?p", "x\\ y", "\\#x", "\\!n",
        ".cfg", ".*",    "ü",  "foo.*", "a\\[1]", "*",      "**",    "*.h",   "lib",  "src"};
    std::string text = pick(globs);
    for (auto more = random_() % 6; more >= 4; --more) {
      text += pick({"/", "/**/", "/*/"}) + pick(globs);
    }
    if (one_in(5)) text = "**/" + text;
    if (one_in(4)) text = "/" + text;
    if (one_in(4)) text += "/";
    if (one_in(8)) text += "/**";
    if (one_in(3)) text = "!" + text;
    if (one_in(8)) text += "  ";
    return text + (one_in(10) ? "\r\n" : "\n");
  }

  std::string rules() {
    std::string text = one_in(4) ? "# a comment\n\n" : "";
    for (auto count = 1 + random_() % 4; count > 0; --count) text += rule();
    return text;
  }

  std::string content() {
    static const std::vector<std::string> words = {
        "alpha", "Beta", "gamma1", "x_y",   "foo.bar", "  ", "über", "ÜBER",
        "f(x)",  "\t",   "\xFF",   "ALPHA", "[0]",     "$",  "beta", "K"};
    std::string text = one_in(12) ? "\xEF\xBB\xBF" : "";
    const std::string end = one_in(6) ? "\r\n" : "\n";
    for (auto count = random_() % 20; count > 0; --count) {
      text += pick(words) + (one_in(3) ? end : " ");
    }
    // Ripgrep shows lines that end within the first three bytes, which it reads to find a mark.
    if (one_in(12)) text = "alpha " + text + std::string(1, '\0') + "alpha\n";
    return text;
  }

  void make_folder(const std::string& prefix, int depth, bool with_rules) {
    if (with_rules && (depth == 0 || one_in(3))) put(prefix + ".gitignore", rules());
    if (with_rules && one_in(6)) put(prefix + ".ignore", rules());
    if (with_rules && depth > 0 && one_in(12)) put(prefix + ".git/HEAD", "alpha\n");
    for (auto count = 2 + random_() % 5; count > 0; --count) {
      const std::string path = prefix + name();
      const auto status = std::filesystem::symlink_status(std::filesystem::path(root_) / path);
      if (std::filesystem::exists(status)) continue;
      if (depth < 3 && one_in(3)) {
        std::filesystem::create_directories(std::filesystem::path(root_) / path);
        make_folder(path + "/", depth + 1, with_rules);
      } else if (one_in(15)) {
        std::filesystem::create_symlink(name(), std::filesystem::path(root_) / path);
      } else {
        put(path, content());
      }
    }
  }

  void make_tree(unsigned seed, bool with_rules) {
    random_.seed(seed);
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ + "/.git/info");
    if (with_rules && one_in(3)) put(".git/info/exclude", rules());
    make_folder("", 0, with_rules);
    workspace_.emplace(*Workspace::open(root_));
  }

  std::vector<Line> by_ripgrep(std::vector<std::string> options, const std::string& folder) {
    std::vector<std::string> command = {
        "rg", "--no-config", "--no-ignore-global", "--crlf",  "-n",
        "-H", "-0",          "--no-heading",       "--color", "never",
        "-S"};
    command.insert(command.end(), options.begin(), options.end());
    command.push_back("./");
    std::vector<Line> lines;
    test::ProgramOptions here;
    // Given as an argument, it makes ripgrep 13 match some rules against folder/folder/file.
    here.folder = root_ + "/" + folder;
    const test::ProgramRun result = test::run_program(command, here);
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 1) << result.err;
    for (std::string_view rest = result.out; !rest.empty();) {
      const size_t zero = rest.find('\0');
      const size_t end = std::min(rest.find('\n', zero), rest.size());
      const std::string path = (folder == "." ? "" : folder + "/") +
                               std::string(rest.substr(2, zero - 2));  // After "./".
      lines.push_back({path, std::atoi(std::string(rest.substr(zero + 1, 12)).c_str())});
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (("/" + path).find("/.git/") != std::string::npos) lines.pop_back();
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  // Our answer: the head line and the lines that are shown.
  std::pair<std::string, std::vector<Line>> by_us(const nlohmann::json& arguments) {
    const std::string answer = text("search", arguments.dump());
    const size_t head = std::min(answer.find('\n'), answer.size());
    std::vector<Line> lines;
    for (size_t at = head; at < answer.size();) {
      const size_t end = std::min(answer.find('\n', at + 1), answer.size());
      const std::string line = answer.substr(at + 1, end - at - 1);
      const size_t colon = line.find(':');
      lines.push_back({line.substr(0, colon), std::atoi(line.c_str() + colon + 1)});
      at = end;
    }
    return {answer.substr(0, head), lines};
  }

  void compare(const nlohmann::json& arguments, const std::vector<std::string>& options) {
    const std::string path = arguments.value("path", std::string("."));
    std::vector<Line> theirs = by_ripgrep(options, path);
    const auto [head, ours] = by_us(arguments);
    const std::string total = std::to_string(theirs.size()) + " hit";
    EXPECT_NE((" " + head).find(" " + total), std::string::npos)
        << head << ", ripgrep: " << total << "; " << arguments << " in " << root_;
    if (theirs.size() > ours.size()) {
      EXPECT_NE(head.find(" of "), std::string::npos);
      theirs.resize(ours.size());
    }
    EXPECT_EQ(ours.size(), theirs.size()) << arguments;
    for (size_t index = 0; index < std::min(ours.size(), theirs.size()); ++index) {
      EXPECT_EQ(ours[index].path, theirs[index].path) << arguments;
      EXPECT_EQ(ours[index].number, theirs[index].number) << arguments << theirs[index].path;
    }
  }

  std::mt19937 random_;
};

const std::vector<std::string> kPatterns = {
    "alpha",   "Beta", "beta",     "gamma\\d", "x_y$",     "^f",     "foo.b", "\\bf",
    "[0-9]x?", "über", "Über",     "\\S+\\s$", "^\\s*$",   ".",      "a|B",   "k",
    "[A-B]",   "^$",   "(?i)BETA", "\\w{5,}",  "f\\(x\\)", "^alpha", "\\x41", "\\p{Lu}"};

TEST_F(SearchDifferential, IgnoreFilesAtEveryLevel) {
  if (!test::has_program("rg")) GTEST_SKIP() << "rg is not installed";
  for (unsigned seed = 1; seed <= 60 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    make_tree(seed, /*with_rules=*/true);
    const std::string pattern = pick(kPatterns);
    compare({{"pattern", pattern}}, {"-e", pattern});
    compare({{"pattern", "."}}, {"-e", "."});
    // Below a link ours names the files where they are.
    if (std::filesystem::is_directory(std::filesystem::symlink_status(root_ + "/src"))) {
      compare({{"pattern", "."}, {"path", "src"}}, {"-e", "."});
    }
  }
}

TEST_F(SearchDifferential, PatternsLiteralsAndGlobs) {
  if (!test::has_program("rg")) GTEST_SKIP() << "rg is not installed";
  const std::vector<std::string> literals = {"foo.bar", "f(x)", "[0]", "$", "Beta", "über", "\t"};
  const std::vector<std::string> globs = {"*.c",  "*.{c,h}", "src/*.c",  "**/lib/**",
                                          "!*.c", "[a-m]*",  "a/**",     "/*.c",
                                          "!src", "?",       "!/docs/*", "foo*"};
  for (unsigned seed = 1001; seed <= 1025 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    make_tree(seed, /*with_rules=*/false);
    for (int round = 0; round < 2; ++round) {
      const std::string pattern = pick(kPatterns);
      compare({{"pattern", pattern}}, {"-e", pattern});
    }
    const std::string literal = pick(literals);
    compare({{"pattern", literal}, {"literal", true}}, {"-F", "-e", literal});
    const std::string glob = pick(globs);
    // Hidden files that a glob names are found by ripgrep only.
    compare({{"pattern", "."}, {"glob", glob}}, {"-e", ".", "-g", "!.*", "-g", glob, "-g", "!.*"});
  }
}

}  // namespace
}  // namespace levin::tools
