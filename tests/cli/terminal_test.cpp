// What reaches the user's terminal, and what of the user's environment reaches a command: through
// the real program.
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class TerminalTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
  }
};

TEST_F(TerminalTest, SequencesOfACommandAreNeutralisedForThePersonAndKeptInTheEvents) {
  // Title, clipboard, folder, device control, reset, alternate screen, overwriting, bidi, no width.
  const std::string evil =
      "printf 'A\\033]0;title\\007B\\033]52;c;aGk=\\007C\\033]8;;http://x\\033\\\\link\\033]8;;"
      "\\033\\\\D\\033]7;file://x\\007\\033P1$r0m\\033\\\\E\\033cF\\033[?1049hG\\rH\\303\\234"
      "\\342\\200\\256I\\342\\200\\213J\\302\\2331mK\\n'";
  const auto shown = levin({"run", "--model", script({block({bash(evil)}), "Done."}), "task"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  // As a terminal would leave it: what came before the carriage return is overwritten.
  ASSERT_TRUE(has(shown.out, "  H\xC3\x9CIJK\n")) << shown.out;
  for (const std::string* text : {&shown.out, &shown.err}) {
    for (const char byte : *text) {
      EXPECT_TRUE(static_cast<unsigned char>(byte) >= 0x20 || byte == '\n' || byte == '\t')
          << static_cast<int>(byte) << " in " << *text;
    }
    for (const char* mark : {"\xE2\x80\xAE", "\xE2\x80\x8B", "\xC2\x9B"}) {
      EXPECT_FALSE(has(*text, mark)) << *text;
    }
  }
  // For a program that reads along nothing is lost.
  const Told told = run_script({block({bash(evil)}), "Done."});
  std::string raw;
  for (const Json& event : told.of_type("item.updated")) {
    if (event["item"]["type"] == "command") raw += event["delta"].get<std::string>();
  }
  EXPECT_TRUE(has(raw,
                  "A\x1b]0;title\x07"
                  "B"))
      << raw;
  EXPECT_TRUE(has(raw, "G\rH")) << raw;
}

TEST_F(TerminalTest, OddFileNamesAreOneEntryEach) {
  const std::string name = "x\nwrong.txt\x1b]0;t\x07";
  write_text(repository_ / name, "needle\n");
  write_text(repository_ / "plain.txt", "needle\n");
  const auto tool = [&](const std::string& tool_name, const Json& arguments) {
    test::ProgramOptions options;
    options.standard_input = arguments.dump();
    return levin({"tool", tool_name}, options).out;
  };
  const std::string quoted = "\"x\\nwrong.txt\\033]0;t\\007\"";
  for (const std::string& text :
       {tool("read", {{"path", "."}}), tool("search", {{"pattern", "*.txt*"}, {"mode", "files"}}),
        tool("search", {{"pattern", "needle"}})}) {
    EXPECT_TRUE(has(text, "\n" + quoted)) << text;
    EXPECT_TRUE(has(text, "\nplain.txt")) << text;
    EXPECT_FALSE(has(text, "\nwrong.txt")) << text;
    EXPECT_FALSE(has(text, "\x1b")) << text;
  }
}

TEST_F(TerminalTest, OnlyAListOfVariablesIsPassed) {
  test::ProgramOptions options;
  options.environment = {
      {"LD_LIBRARY_PATH", "/nowhere"}, {"BASH_ENV", "/nowhere"}, {"PYTHONSTARTUP", "/nowhere"},
      {"NODE_OPTIONS", "--nowhere"},   {"GIT_DIR", "/nowhere"},  {"GIT_SSH_COMMAND", "/nowhere"},
      {"AWS_SECRET_ACCESS_KEY", "s"},  {"GITHUB_TOKEN", "s"},    {"MY_OWN", "s"},
      {"LC_TIME", "C.UTF-8"},          {"TERM", "vt100"}};
  // GIT_DIR would mislead the test's own fixture, not levin; it is there all the same.
  const Told told = run_script({block({bash("env | cut -d= -f1 | sort")}), "Done."}, {}, options);
  ASSERT_EQ(told.results().size(), 1u) << told.program.err;
  const std::string names = "\n" + told.results()[0] + "\n";
  for (const auto& [name, value] : options.environment) {
    const bool is_passed = name == "LC_TIME" || name == "TERM";
    EXPECT_EQ(has(names, "\n" + name + "\n"), is_passed) << name << " in " << names;
  }
}

TEST_F(TerminalTest, WhatToolsExpectIsThere) {
  const Told told = run_script(
      {block({bash("set -e; cd \"$HOME/.cache\"; echo x > own; cat own; cd \"$TMPDIR\"; mktemp "
                   ">/dev/null; test -n \"$LANG\" -a -n \"$PATH\"; for p in ls cat git env; do "
                   "command -v $p >/dev/null; done; pwd")}),
       "Done."});
  ASSERT_EQ(told.results().size(), 1u);
  EXPECT_EQ(told.results()[0], "exit 0\nx\n/tmp");
}

}  // namespace
}  // namespace levin::cli
