#include "tools/repo_index.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>

#include "tests/tools/workspace_fixture.h"

namespace levin::tools {
namespace {

class RepoIndexTest : public ToolTest {
 protected:
  void SetUp() override {
    if (!has_repo_index()) GTEST_SKIP() << "this build has no repository index";
  }

  IndexOptions options() const {
    IndexOptions options;
    options.database = base_ + "/cache/index.sqlite";
    return options;
  }

  RepoMap map(const MapQuery& query = {}) {
    Result<RepoMap> map = make_repo_map(*workspace_, options(), query);
    EXPECT_TRUE(map) << map.error().message();
    return map ? *std::move(map) : RepoMap();
  }

  SymbolHits symbols(const SymbolQuery& query) {
    Result<SymbolHits> hits = find_symbols(*workspace_, options(), query);
    EXPECT_TRUE(hits) << hits.error().message();
    return hits ? *std::move(hits) : SymbolHits();
  }

  // "kind name:line" of everything that a file defines.
  std::vector<std::string> defined(const std::string& path) {
    std::vector<std::string> found;
    for (const SymbolHit& hit : symbols({.pattern = ".", .path = path}).hits) {
      found.push_back(hit.kind + " " + hit.name + ":" + std::to_string(hit.line));
    }
    return found;
  }

  static std::string rank_order(const RepoMap& map) {
    std::string order;
    for (const MapFile& file : map.files) order += file.path + " ";
    return order;
  }
};

using Names = std::vector<std::string>;

TEST_F(RepoIndexTest, FindsDefinitionsInEachLanguage) {
  put("a.py", "LIMIT = 1\nclass Foo(Base):\n    def bar(self):\n        pass\ndef run(): pass\n");
  EXPECT_EQ(defined("a.py"),
            (Names{"variable LIMIT:1", "class Foo:2", "method bar:3", "function run:5"}));
  put("a.js", "export const add = (a) => a;\nfunction run() {}\nclass W { draw() {} }\n");
  EXPECT_EQ(defined("a.js"),
            (Names{"variable add:1", "function run:2", "class W:3", "method draw:3"}));
  put("a.ts", "interface S { area(): number }\ntype P = number;\nenum C { Red }\n");
  EXPECT_EQ(defined("a.ts"),
            (Names{"interface S:1", "declaration area:1", "type P:2", "enum C:3"}));
  put("a.tsx", "export function App() { return <Widget a=\"1\"/>; }\n");
  EXPECT_EQ(defined("a.tsx"), Names{"function App:1"});
  put("a.rs", "pub struct Node;\ntrait Walk { fn walk(&self); }\nmacro_rules! mk { () => {} }\n");
  EXPECT_EQ(defined("a.rs"),
            (Names{"struct Node:1", "trait Walk:2", "declaration walk:2", "macro mk:3"}));
  put("a.go",
      "package x\ntype S struct { n int }\nfunc (s *S) Run() {}\nfunc help() {}\nconst Max = 3\n");
  EXPECT_EQ(defined("a.go"),
            (Names{"struct S:2", "method Run:3", "function help:4", "constant Max:5"}));
  put("A.java", "class A { int n;\n enum K { X }\n A() {}\n void go() {} }\n");
  EXPECT_EQ(defined("A.java"), (Names{"class A:1", "field n:1", "enum K:2", "constant X:2",
                                      "method A:3", "method go:4"}));
  put("a.sh", "NAME=x\ngreet() { echo; }\n");
  EXPECT_EQ(defined("a.sh"), (Names{"variable NAME:1", "function greet:2"}));
  put("a.json", "{\"name\": 1,\n \"scripts\": {\"test\": {\"deep\": 1}}}\n");
  EXPECT_EQ(defined("a.json"), (Names{"key name:1", "key scripts:2", "key test:2"}));
  put("a.html", "<div id=\"main\" class=\"card\"></div>\n");
  EXPECT_EQ(defined("a.html"), Names{"id main:1"});
  put("a.css",
      ".card { color: red }\n#main { top: 0 }\n@keyframes spin { from {} }\n.x { --gap: 1 }\n");
  EXPECT_EQ(defined("a.css"), (Names{"selector card:1", "selector main:2", "keyframes spin:3",
                                     "selector x:4", "property --gap:4"}));
  put("a.c",
      "#define MAX 3\ntypedef struct point { int x; } point_t;\nstatic char *name(void) "
      "{ return 0; }\nint used(int);\nint table[] = {1};\n");
  EXPECT_EQ(defined("a.c"), (Names{"macro MAX:1", "struct point:2", "type point_t:2",
                                   "function name:3", "declaration used:4", "variable table:5"}));
  put("a.cpp",
      "namespace app { class E { int run(); E& self() { return *this; } }; }\n"
      "int app::E::run() { return 1; }\nusing Id = int;\n");
  EXPECT_EQ(defined("a.cpp"), (Names{"namespace app:1", "class E:1", "declaration run:1",
                                     "method self:1", "method run:2", "type Id:3"}));
}

TEST_F(RepoIndexTest, MapShowsWhatOthersUseFirst) {
  put("core.py", "def needed_helper():\n    pass\n\ndef nobody_calls_this():\n    pass\n");
  for (const char* user : {"a", "b", "c"}) {
    put(std::string(user) + ".py", std::string("from core import needed_helper\ndef user_") + user +
                                       "():\n    needed_helper()\n");
  }
  const RepoMap shown = map();
  ASSERT_FALSE(shown.files.empty());
  EXPECT_EQ(shown.files[0].path, "core.py");
  EXPECT_EQ(shown.files[0].symbols[0].name, "needed_helper");
  EXPECT_EQ(shown.files[0].symbols[0].text, "def needed_helper():");
  EXPECT_EQ(shown.symbols_shown, 5u);
  EXPECT_TRUE(map_text(shown).starts_with("5 of 5 symbols in 4 files"));
}

TEST_F(RepoIndexTest, FocusDrawsTheMapFromThere) {
  put("left.py", "from one import left_need\nleft_need()\n");
  put("right.py", "from two import right_need\nright_need()\n");
  put("one.py", "def left_need(): pass\n");
  put("two.py", "def right_need(): pass\n");
  EXPECT_EQ(map({{"left.py"}, 100}).files[0].path, "one.py");
  EXPECT_EQ(map({{"right.py"}, 100}).files[0].path, "two.py");
  const Result<RepoMap> missing = make_repo_map(*workspace_, options(), {{"gone.py"}, 100});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  const Result<RepoMap> outside = make_repo_map(*workspace_, options(), {{"../x.py"}, 100});
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(RepoIndexTest, TypeNamesAreNotFunctionNames) {
  put("make.cpp", "int string(int x) { return x; }\n");
  put("user.cpp", "void f(string a, string b);\n");
  put("other.cpp", "struct string { int x; };\n");
  EXPECT_EQ(map().files[0].path, "other.cpp");
}

TEST_F(RepoIndexTest, KeepsWithinTheTokens) {
  for (int file = 0; file < 40; ++file) {
    std::string text;
    for (int line = 0; line < 30; ++line)
      text += "def function_" + std::to_string(file) + "_" + std::to_string(line) + "(): pass\n";
    put("f" + std::to_string(file) + ".py", text);
  }
  for (const size_t tokens : {60, 200, 1000}) {
    const RepoMap shown = map({{}, tokens});
    EXPECT_LE(estimate_tokens(map_text(shown)), tokens);
    EXPECT_GT(estimate_tokens(map_text(shown)), tokens * 6 / 10);
    EXPECT_EQ(shown.token_estimate, estimate_tokens(map_text(shown)));
  }
}

TEST_F(RepoIndexTest, ParsesOnlyWhatChanged) {
  put("a/x.py", "def one(): pass\n");
  put("a/y.py", "def two(): pass\n");
  put("b/z.py", "def three(): pass\n");
  // Files changed within a clock tick of their parsing are parsed again: make them old.
  EXPECT_EQ(map().report.parsed, 3u);
  map();
  const auto settled = [&] {
    for (int round = 0; round < 1000; ++round) {
      if (map().report.parsed == 0) return true;
    }
    return false;
  };
  ASSERT_TRUE(settled());
  put("a/y.py", "def changed_now(): pass\n");
  EXPECT_EQ(map().report.parsed, 1u);
  EXPECT_EQ(symbols({.pattern = "changed_now"}).total, 1u);
  EXPECT_EQ(symbols({.pattern = "two"}).total, 0u);
  EXPECT_EQ(symbols({.pattern = "one"}).total, 1u);
  std::filesystem::remove_all(root_ + "/b");
  EXPECT_EQ(symbols({.pattern = "three"}).total, 0u);
  EXPECT_EQ(map().report.files, 2u);
}

std::string tangled_file(int file, int round) {
  std::string text;
  for (int line = 0; line < 5; ++line)
    text += "def name_" + std::to_string((file * 7 + line + round) % 60) + "(): pass\n";
  for (int line = 0; line < 5; ++line)
    text += "name_" + std::to_string((file * 5 + line * 11 + round * 3) % 60) + "()\n";
  return text;
}

void expect_same_map(const RepoMap& map, const RepoMap& other) {
  EXPECT_EQ(map.symbols_shown, other.symbols_shown);
  EXPECT_EQ(map.files.size(), other.files.size());
  for (const MapFile& file : map.files) {
    const auto same = std::find_if(other.files.begin(), other.files.end(),
                                   [&](const MapFile& each) { return each.path == file.path; });
    ASSERT_NE(same, other.files.end()) << file.path;
    EXPECT_NEAR(file.rank, same->rank, 0.02 * same->rank) << file.path;
    EXPECT_EQ(file.symbols.size(), same->symbols.size()) << file.path;
  }
}

TEST_F(RepoIndexTest, UpdatedIndexEqualsANewOne) {
  for (int file = 0; file < 30; ++file)
    put("f" + std::to_string(file) + ".py", tangled_file(file, 0));
  for (const bool is_graph_kept : {false, true}) {
    IndexOptions kept = options();
    kept.graph_kept_from = is_graph_kept ? 0 : 1'000;
    ASSERT_TRUE(make_repo_map(*workspace_, kept, {}));
    for (int round = 1; round < 6; ++round) {
      const int turn = round + (is_graph_kept ? 5 : 0);
      put("f" + std::to_string(30 - round * 5) + ".py", tangled_file(turn * 5, turn));
      put("sub/new" + std::to_string(turn) + ".py", tangled_file(turn * 3, turn * 2));
      std::filesystem::remove(root_ + "/f" + std::to_string(turn) + ".py");
      const MapQuery query{
          round == 5 ? std::vector<std::string>{"sub"} : std::vector<std::string>{}, 4000};
      const Result<RepoMap> updated = make_repo_map(*workspace_, kept, query);
      const Result<RepoMap> rebuilt = make_repo_map(*workspace_, IndexOptions(), query);
      ASSERT_TRUE(updated);
      ASSERT_TRUE(rebuilt);
      EXPECT_EQ(updated->report.is_ranked_anew, !is_graph_kept);
      expect_same_map(*updated, *rebuilt);
    }
  }
}

TEST_F(RepoIndexTest, AGraphThatDoesNotFitIsMadeAnew) {
  for (int file = 0; file < 30; ++file)
    put("f" + std::to_string(file) + ".py", tangled_file(file, 0));
  IndexOptions kept = options();
  kept.graph_kept_from = 0;
  const auto is_ranked_anew = [&] {
    const Result<RepoMap> result = make_repo_map(*workspace_, kept, {{}, 4000});
    const Result<RepoMap> rebuilt = make_repo_map(*workspace_, IndexOptions(), {{}, 4000});
    EXPECT_TRUE(result && rebuilt);
    if (result && rebuilt) expect_same_map(*result, *rebuilt);
    return result && result->report.is_ranked_anew;
  };
  const std::string graph = kept.database + ".graph";
  EXPECT_TRUE(is_ranked_anew());
  EXPECT_FALSE(is_ranked_anew());
  std::filesystem::copy(graph, graph + ".old");
  std::filesystem::resize_file(graph, std::filesystem::file_size(graph) - 1);
  EXPECT_TRUE(is_ranked_anew());
  std::filesystem::remove(kept.database + "-wal");
  std::filesystem::remove(kept.database);  // Another database: the old graph is not of it.
  std::filesystem::rename(graph + ".old", graph);
  EXPECT_TRUE(is_ranked_anew());
  EXPECT_FALSE(is_ranked_anew());
}

// A process of its own indexes the tree and is killed after some microseconds.
void index_and_die(const std::string& root, const IndexOptions& options, int64_t microseconds) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGKILL;
    timer_t timer{};
    const itimerspec when{{}, {microseconds / 1'000'000, microseconds % 1'000'000 * 1'000 + 1}};
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) ::_exit(2);
    if (::timer_settime(timer, 0, &when, nullptr) != 0) ::_exit(2);
    const Result<Workspace> workspace = Workspace::open(root);
    if (!workspace) ::_exit(3);
    ::_exit(make_repo_map(*workspace, options, {}) ? 0 : 4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status)) {
    EXPECT_EQ(WEXITSTATUS(status), 0);
  } else {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
  }
}

TEST_F(RepoIndexTest, AKillAtAnyMomentLeavesARightIndex) {
  constexpr int kFolders = 300;  // More than one transaction holds.
  for (int file = 0; file < kFolders; ++file) {
    put("d" + std::to_string(file) + "/a.py", tangled_file(file, 0));
  }
  IndexOptions kept = options();
  kept.graph_kept_from = 0;
  kept.thread_count = 2;
  const auto start = std::chrono::steady_clock::now();
  index_and_die(root_, kept, 60'000'000);
  const int64_t whole_us = std::chrono::duration_cast<std::chrono::microseconds>(
                               std::chrono::steady_clock::now() - start)
                               .count();
  std::mt19937 random(3);
  for (int round = 0; round < 9; ++round) {
    if (round % 3 == 0) std::filesystem::remove_all(base_ + "/cache");
    for (int index = 0; index < 20; ++index) {
      const auto file = static_cast<int>(random() % kFolders);
      put("d" + std::to_string(file) + "/a.py", tangled_file(file, round + 1));
    }
    const auto span = static_cast<uint64_t>(round % 3 == 0 ? whole_us : whole_us / 4);
    index_and_die(root_, kept, static_cast<int64_t>(random() % (span + 1)));
    const Result<RepoMap> after = make_repo_map(*workspace_, kept, {{}, 30'000});
    const Result<RepoMap> rebuilt = make_repo_map(*workspace_, IndexOptions(), {{}, 30'000});
    ASSERT_TRUE(after) << after.error().message();
    ASSERT_TRUE(rebuilt);
    EXPECT_EQ(after->report.note, "") << round;
    EXPECT_EQ(after->report.definitions, rebuilt->report.definitions) << round;
    EXPECT_EQ(map_text(*after).substr(0, 40), map_text(*rebuilt).substr(0, 40)) << round;
    expect_same_map(*after, *rebuilt);
  }
}

TEST_F(RepoIndexTest, LeavesOutWhatGitIgnores) {
  put(".gitignore", "build/\n*.gen.py\n");
  put("sub/.gitignore", "local.py\n");
  put("build/a.py", "def ignored_one(): pass\n");
  put("x.gen.py", "def ignored_two(): pass\n");
  put("sub/local.py", "def ignored_three(): pass\n");
  put(".hidden/a.py", "def ignored_four(): pass\n");
  put("local.py", "def kept(): pass\n");
  EXPECT_EQ(symbols({.pattern = "."}).total, 1u);
  put(".gitignore", "*.gen.py\n");
  EXPECT_EQ(symbols({.pattern = "ignored"}).total, 1u);
}

TEST_F(RepoIndexTest, SymbolsAreFoundByPartNameAndGlob) {
  put("a.py", "def parse_header(): pass\ndef parse(): pass\n");
  put("b/c.js", "function parseHeader() {}\n");
  SymbolHits hits = symbols({.pattern = "parse"});
  EXPECT_EQ(hits.total, 3u);
  EXPECT_EQ(hits.file_count, 2u);
  EXPECT_EQ(hits.hits[0].name, "parse");  // The whole name first.
  EXPECT_EQ(symbols({.pattern = "parseH"}).total, 1u);
  EXPECT_EQ(symbols({.pattern = "^parse_"}).total, 1u);
  EXPECT_EQ(symbols({.pattern = "parse", .path = "b"}).total, 1u);
  EXPECT_EQ(symbols({.pattern = "parse", .glob = "*.py"}).total, 2u);
  const Result<SymbolHits> bad = find_symbols(*workspace_, options(), {.pattern = "("});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(RepoIndexTest, DamagedDatabaseIsMadeAnewWithANote) {
  put("a.py", "def one(): pass\n");
  map();
  for (const char* wal : {"-wal", "-shm"}) std::filesystem::remove(options().database + wal);
  std::ofstream(options().database, std::ios::binary) << "this is no database at all, it is text\n";
  const RepoMap repaired = map();
  EXPECT_EQ(repaired.report.definitions, 1u);
  EXPECT_NE(repaired.report.note.find("made anew"), std::string::npos) << repaired.report.note;
  EXPECT_EQ(map().report.note, "");
}

TEST_F(RepoIndexTest, DamageAnywhereIsSurvived) {
  for (int file = 0; file < 4; ++file)
    put("d" + std::to_string(file) + "/a.py", "def one_" + std::to_string(file) + "(): pass\n");
  map();
  const auto read = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  };
  const std::string database = options().database;
  const std::string pages = read(database);
  const std::string log = read(database + "-wal");
  const size_t size = pages.size() + log.size();
  ASSERT_GT(size, 10'000u);
  for (size_t at = 0; at < size; at += size / 41) {
    std::string all = pages + log;
    all.replace(at, 64, std::string(64, '\xA5'));
    all.resize(size);
    std::filesystem::remove(database + "-shm");
    std::ofstream(database, std::ios::binary) << all.substr(0, pages.size());
    std::ofstream(database + "-wal", std::ios::binary) << all.substr(pages.size());
    const Result<RepoMap> result = make_repo_map(*workspace_, options(), {});
    ASSERT_TRUE(result) << at << ": " << result.error().message();
    EXPECT_EQ(result->report.files, 4u) << at;
    EXPECT_EQ(result->report.definitions, 4u) << at;
  }
}

TEST_F(RepoIndexTest, OddFilesAreNamedNotParsed) {
  put("good.py", "def good_one(): pass\n");
  put("large.py", "def inside():\n" + std::string(2 << 20, '#'));
  put("binary.py", std::string("\0\1\2def x", 8));
  put("broken.py", "def \xff\xfe\xc3(): \n\xed\xa0\x80 = 1\ndef after_bytes(): pass\n");
  put("nested.js", std::string(200'000, '(') + "\n" + std::string(200'000, '['));
  put("nested.json", std::string(100'000, '['));
  put("wide.c", std::string(50'000, '['));
  put("empty.py", "");
  std::filesystem::create_symlink(root_, root_ + "/loop");
  std::filesystem::create_symlink("/etc/passwd", root_ + "/outside.py");
  ASSERT_EQ(::mkfifo((root_ + "/pipe.py").c_str(), 0600), 0);
  const RepoMap shown = map();
  EXPECT_EQ(shown.report.files, 8u);
  EXPECT_EQ(shown.report.not_parsed, 5u);  // Large, binary, both nested ones, and the wide one.
  EXPECT_EQ(symbols({.pattern = "good_one"}).total, 1u);
  EXPECT_EQ(symbols({.pattern = "after_bytes"}).total, 1u);
}

TEST_F(RepoIndexTest, LargeFilesAreReadInPieces) {
  std::string c;
  std::string python;
  std::string bad;
  for (int item = 0; item < 9'000; ++item) {
    const std::string number = std::to_string(item);
    c += "static int item_" + number + "(int x)\n{\n  return table[x] + other(" + number +
         ", x) * 3;\n}\n\n";
    python += "def piece_" + number + "(x):\n    y = [x, " + number + "]\n\n    return f(y)\n\n";
    bad += "[[[[[[[[[\n\n";
  }
  ASSERT_GT(c.size(), 600'000u);
  put("large.c", c);
  put("large.py", python);
  put("bad.c", bad);  // Pieces of nothing but errors.
  EXPECT_EQ(map().report.not_parsed, 1u);
  EXPECT_EQ(symbols({.pattern = "item_"}).total, 9'000u);
  for (const int item : {0, 1, 4'567, 8'999}) {
    const SymbolHits in_c = symbols({.pattern = "item_" + std::to_string(item) + "$"});
    ASSERT_EQ(in_c.total, 1u);
    EXPECT_EQ(in_c.hits[0].line, static_cast<uint32_t>(item * 5 + 1));
    const SymbolHits in_python = symbols({.pattern = "piece_" + std::to_string(item) + "$"});
    ASSERT_EQ(in_python.total, 1u);
    EXPECT_EQ(in_python.hits[0].line, static_cast<uint32_t>(item * 5 + 1));
  }
}

TEST_F(RepoIndexTest, HeadersAreReadAsTheLanguageThatFits) {
  put("plain.h", "int new(int class);\nint delete_all(struct item *template, int namespace);\n");
  put("plus.h", "namespace app { class Widget { int draw(); }; }\n");
  EXPECT_EQ(defined("plain.h"), (Names{"declaration new:1", "declaration delete_all:2"}));
  EXPECT_EQ(defined("plus.h"), (Names{"namespace app:1", "class Widget:1", "declaration draw:1"}));
}

TEST_F(RepoIndexTest, DatabaseOfAnotherFolderIsNotUsed) {
  put("a.py", "def one(): pass\n");
  map();
  const std::string other = base_ + "/other";
  std::filesystem::create_directory(other);
  std::ofstream(other + "/b.py") << "def two(): pass\n";
  Result<Workspace> second = Workspace::open(other);
  ASSERT_TRUE(second);
  const Result<RepoMap> shown = make_repo_map(*second, options(), {});
  ASSERT_TRUE(shown);
  EXPECT_EQ(rank_order(*shown), "b.py ");
  EXPECT_NE(shown->report.note.find("belongs to"), std::string::npos);
}

TEST_F(RepoIndexTest, InterruptKeepsWhatWasDone) {
  for (int file = 0; file < 50; ++file) put("f" + std::to_string(file) + ".py", "def f(): pass\n");
  std::atomic<bool> interrupted{true};
  IndexOptions stopped = options();
  stopped.interrupted = &interrupted;
  const Result<RepoMap> result = make_repo_map(*workspace_, stopped, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kInterrupted);
  EXPECT_EQ(map().report.files, 50u);
}

}  // namespace
}  // namespace levin::tools
