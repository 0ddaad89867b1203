// Shows for each rule that it bites on bad input, and that it lets the good twin pass.
#include "tests/tidy/rules.h"

#include <gtest/gtest.h>

#include <string>

namespace levin::tidy {
namespace {

using Check = Findings (*)(const SourceTree&);

Findings run(Check check, const std::string& path, const std::string& text) {
  return check(make_tree({{path, text}}));
}

std::string repeated(const std::string& line, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += line;
  return text;
}

TEST(Rules, LayersMayNotLookUp) {
  const auto count = [](const char* path, const char* include) {
    return run(check_layers, path, std::string("#include ") + include + "\n").size();
  };
  EXPECT_EQ(count("base/a.h", "\"kernels/b.h\""), 1u);
  EXPECT_EQ(count("kernels/a.cu", "\"engine/b.h\""), 1u);
  EXPECT_EQ(count("engine/a.cpp", "\"tools/b.h\""), 1u);
  EXPECT_EQ(count("engine/a.cpp", "\"sandbox/b.h\""), 1u);
  EXPECT_EQ(count("tools/a.cpp", "\"engine/b.h\""), 1u);
  EXPECT_EQ(count("sandbox/a.cpp", "\"tools/b.h\""), 1u);
  EXPECT_EQ(count("agent/a.cpp", "\"tests/b.h\""), 1u);
  EXPECT_EQ(count("agent/a.cpp", "\"examples/b.h\""), 1u);
  EXPECT_EQ(count("agent/a.cpp", "\"b.h\""), 1u);
  EXPECT_EQ(count("agent/a.cpp", "\"../base/b.h\""), 1u);

  EXPECT_EQ(count("engine/a.cpp", "\"kernels/b.h\""), 0u);
  EXPECT_EQ(count("agent/a.cpp", "\"tools/b.h\""), 0u);
  EXPECT_EQ(count("tests/a.cpp", "\"examples/b.h\""), 0u);
  EXPECT_EQ(count("base/a.h", "<string>"), 0u);
  EXPECT_EQ(run(check_layers, "base/a.h", "// #include \"agent/b.h\"\n").size(), 0u);
}

TEST(Rules, OwnHeadersAreQuoted) {
  const SourceTree tree = make_tree({{"base/b.h", ""}, {"engine/a.cpp", "#include <base/b.h>\n"}});
  EXPECT_EQ(check_layers(tree).size(), 1u);
}

TEST(Rules, PrivateHeadersStayInTheirFolder) {
  const std::string nested = "#include \"kernels/cpu/b.h\"\n";
  EXPECT_EQ(run(check_private_headers, "engine/a.cpp", nested).size(), 1u);
  EXPECT_EQ(run(check_private_headers, "kernels/a.cpp", nested).size(), 0u);
  EXPECT_EQ(run(check_private_headers, "tests/a.cpp", nested).size(), 0u);
  EXPECT_EQ(run(check_private_headers, "agent/a.cpp", "#include \"engine/x_impl.h\"\n").size(), 1u);
  EXPECT_EQ(run(check_private_headers, "agent/a.cpp", "#include \"engine/x.h\"\n").size(), 0u);
}

TEST(Rules, FilesAreShort) {
  EXPECT_EQ(run(check_file_length, "base/a.cpp", repeated("\n", 601)).size(), 1u);
  EXPECT_EQ(run(check_file_length, "base/a.cpp", repeated("\n", 600)).size(), 0u);
  EXPECT_EQ(run(check_file_length, "kernels/a.cu", repeated("\n", 801)).size(), 1u);
  EXPECT_EQ(run(check_file_length, "kernels/a.cu", repeated("\n", 800)).size(), 0u);
}

TEST(Rules, FunctionsAreShort) {
  const auto function = [](size_t inner) {
    return "void f() {\n" + repeated("x;\n", inner) + "}\n";
  };
  EXPECT_EQ(run(check_function_length, "base/a.cpp", function(69)).size(), 1u);
  EXPECT_EQ(run(check_function_length, "base/a.cpp", function(68)).size(), 0u);
  EXPECT_EQ(run(check_function_length, "base/a.cpp", "void f() {\n").size(), 1u);
}

TEST(Rules, BannedWordsAreFound) {
  const auto count = [](const char* path, const char* text) {
    return run(check_banned_words, path, text).size();
  };
  EXPECT_EQ(count("engine/a.cpp", "std::cout << 1;"), 1u);
  EXPECT_EQ(count("agent/a.cpp", "std::cout << 1;"), 0u);
  EXPECT_EQ(count("agent/a.cpp", "system(\"ls\");"), 1u);
  EXPECT_EQ(count("agent/a.cpp", "std::system (\"ls\");"), 1u);
  EXPECT_EQ(count("agent/a.cpp", "::system(\"ls\");"), 1u);
  EXPECT_EQ(count("agent/a.cpp", "prompt.system(1); Prompt::system(2); system = 3;"), 0u);
  EXPECT_EQ(count("agent/a.cpp", "std::string system(text);"), 0u);
  EXPECT_EQ(count("agent/a.cpp", "return system(text);"), 1u);
  EXPECT_EQ(count("agent/a.cpp", "if (a) {\n  system(text);\n}"), 1u);
  EXPECT_EQ(count("agent/a.cpp", "int x = rand();"), 1u);
  EXPECT_EQ(count("agent/a.cpp", "int x = operand();"), 0u);
  EXPECT_EQ(count("agent/a.cpp", "using namespace std;"), 1u);
  EXPECT_EQ(count("agent/a.cpp", "using namespace std::string_view_literals;"), 0u);
  EXPECT_EQ(count("tests/a.cpp", "using namespace levin;"), 0u);
  EXPECT_EQ(count("agent/a.cpp", "// rand() and system() are banned\nf(\"rand()\");"), 0u);
}

TEST(Rules, SharedPointersNeedAReason) {
  const auto count = [](const char* text) {
    return run(check_banned_words, "agent/a.h", text).size();
  };
  EXPECT_EQ(count("int a;\nstd::shared_ptr<int> b;"), 1u);
  EXPECT_EQ(count("// Two threads own it.\nstd::shared_ptr<int> b;"), 0u);
  EXPECT_EQ(count("std::shared_ptr<int> b;  // Two threads own it."), 0u);
  EXPECT_EQ(count("// Two threads own it.\n\nstd::shared_ptr<int> b;"), 1u);
}

TEST(Rules, HeadersHavePragmaOnce) {
  EXPECT_EQ(run(check_pragma_once, "base/a.h", "int a;\n").size(), 1u);
  EXPECT_EQ(run(check_pragma_once, "base/a.h", "// #pragma once\n").size(), 1u);
  EXPECT_EQ(run(check_pragma_once, "base/a.h", "// A.\n#pragma once\n").size(), 0u);
  EXPECT_EQ(run(check_pragma_once, "base/a.cpp", "int a;\n").size(), 0u);
}

TEST(Rules, WhitespaceIsClean) {
  EXPECT_EQ(run(check_whitespace, "base/a.h", "\tint a;\n").size(), 1u);
  EXPECT_EQ(run(check_whitespace, "README.md", "text \n").size(), 1u);
  EXPECT_EQ(run(check_whitespace, "dev", "text\r\n").size(), 1u);
  EXPECT_EQ(run(check_whitespace, "CMakeLists.txt", "text").size(), 1u);
  EXPECT_EQ(run(check_whitespace, "base/a.h", "int a;\n").size(), 0u);
  EXPECT_EQ(run(check_whitespace, "tests/golden/x/README.md", "text \n").size(), 0u);
}

TEST(Rules, LinksLeadSomewhere) {
  const auto count = [](const std::string& text) {
    return check_links(make_tree({{"docs/a.md", text}, {"docs/b.md", ""}, {"base/c.h", ""}}))
        .size();
  };
  EXPECT_EQ(count("[x](missing.md)\n"), 1u);
  EXPECT_EQ(count("[x](../../outside.md)\n"), 1u);
  EXPECT_EQ(count("[x](/docs/b.md)\n"), 1u);
  EXPECT_EQ(count("[x]: missing.md\n"), 1u);
  EXPECT_EQ(count("[x](b.md), [y](b.md#part), [z](../base/), [w](#here)\n"), 0u);
  EXPECT_EQ(count("[x](https://example.com/a) [y](mailto:a@example.com)\n"), 0u);
  EXPECT_EQ(count("`[x](missing.md)`\n```\n[x](missing.md)\n```\n"), 0u);
}

TEST(Rules, MachinePathsAreFound) {
  EXPECT_EQ(run(check_machine_paths, "README.md", "see /home/me/x\n").size(), 1u);
  EXPECT_EQ(run(check_machine_paths, "base/a.cpp", "open(\"/root/x\")").size(), 1u);
  EXPECT_EQ(run(check_machine_paths, "dev", "/work/x").size(), 1u);
  EXPECT_EQ(run(check_machine_paths, "tests/a.cpp", "\"/home/me\"").size(), 0u);
  EXPECT_EQ(run(check_machine_paths, "README.md", "src/home/x and ~/work/x\n").size(), 0u);
}

TEST(Rules, TopLevelIsExact) {
  const Findings findings = check_top_level(make_tree({{"notes.txt", ""}, {".clangd", ""}}));
  const auto mentions = [&](const std::string& path, const std::string& message) {
    for (const Finding& finding : findings) {
      if (finding.path == path && finding.message.find(message) != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(mentions("notes.txt", "not one of"));
  EXPECT_TRUE(mentions("agent", "missing"));
  EXPECT_FALSE(mentions(".clangd", ""));
}

TEST(AllowList, AllowsWhatItNamesAndNothingElse) {
  Findings problems;
  const auto allowances = parse_allowances("# comment\n\nlink a.md # soon\n", problems);
  ASSERT_EQ(allowances.size(), 1u);
  EXPECT_TRUE(problems.empty());
  const Findings rest =
      apply_allowances({{"link", "a.md", 1, ""}, {"link", "b.md", 1, ""}}, allowances);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].path, "b.md");
}

TEST(AllowList, EntriesWithoutUseOrReasonAreFindings) {
  Findings problems;
  const auto allowances = parse_allowances("link a.md # soon\nlink b.md\n", problems);
  EXPECT_EQ(problems.size(), 1u);
  EXPECT_EQ(apply_allowances({}, allowances).size(), 1u);
}

}  // namespace
}  // namespace levin::tidy
