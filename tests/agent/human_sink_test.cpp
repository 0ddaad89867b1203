#include "agent/human_sink.h"

#include <sstream>

#include <gtest/gtest.h>

namespace levin::agent {
namespace {

class Screen {
 public:
  explicit Screen(HumanSinkOptions options = {}) : sink_(out_, options) {}
  void operator()(const Event& event) { sink_.on_event(event); }
  void stream(const Item& item, std::initializer_list<std::string> deltas) {
    for (const std::string& delta : deltas) sink_.on_event(ItemUpdated{1, item, delta});
    sink_.on_event(ItemCompleted{1, item});
  }
  void command(const std::string& text, int exit_code, const std::string& output) {
    CommandItem item;
    item.command = text;
    sink_.on_event(ItemStarted{1, Item{"c" + text, item}});
    item.exit_code = exit_code;
    item.output = output;
    item.status = CommandItem::Status::kCompleted;
    sink_.on_event(ItemCompleted{1, Item{"c" + text, item}});
  }
  void tool(const ToolItem& item) {
    sink_.on_event(ItemStarted{1, Item{"t", item}});
    sink_.on_event(ItemCompleted{1, Item{"t", item}});
  }
  std::string text() const { return out_.str(); }

 private:
  std::ostringstream out_;
  HumanSink sink_;
};

HumanSinkOptions coloured() {
  HumanSinkOptions options;
  options.colour = true;
  return options;
}

Usage some_usage() {
  Usage usage;
  usage.reused = 5020;
  usage.prefilled = 1204;
  usage.generated = 310;
  usage.steps = 3;
  usage.files_changed = 1;
  usage.wall_ms = 4210;
  usage.tokens_per_second = 42.13;
  return usage;
}

void play(Screen& screen) {
  screen(ThreadStarted{"20261124-101500-ab12cd"});
  screen(TurnStarted{});
  screen.stream(Item{"r1", ReasoningItem{}}, {"\nThe tests", " first.\nThen", " the bug.\n"});
  screen.stream(Item{"m1", MessageItem{}}, {"\n", "I run ", "the tests.\n"});
  screen.command("make test", 2, "1 failed\n2 passed");
  screen.tool({"read", R"({"path": "calc.py"})", "calc.py (lines 1-2 of 2)\n1\tdef add", false});
  screen.tool({"read", R"({"path": "b.py"})", "b.py (lines 1-9 of 9)\n1\tx", false});
  screen(
      ItemCompleted{2, Item{"f1", FileChangeItem{"calc.py", FileChangeItem::Kind::kUpdate,
                                                 "--- a/calc.py\n+++ b/calc.py\n@@ -1,2 +1,2 @@\n"
                                                 " def add(a, b):\n-    return a - b\n"
                                                 "+    return a + b\n"}}});
  screen.command("make test", 0, "");
  screen.stream(Item{"m2", MessageItem{"Done."}}, {});
  screen(StepState{1, 2, 3, 4});
  screen(RunCompleted{some_usage()});
}

TEST(HumanSink, ShowsAWholeRunInPlainText) {
  Screen screen;
  play(screen);
  EXPECT_EQ(screen.text(),
            "session 20261124-101500-ab12cd\n"
            "\n"
            "│ The tests first.\n"
            "│ Then the bug.\n"
            "\n"
            "I run the tests.\n"
            "\n"
            "$ make test\n"
            "  1 failed\n"
            "  2 passed\n"
            "  ✗ exit 2\n"
            "\n"
            "read calc.py (lines 1-2 of 2)\n"
            "read b.py (lines 1-9 of 9)\n"
            "\n"
            "edit calc.py +1 -1\n"
            "  @@ -1,2 +1,2 @@\n"
            "   def add(a, b):\n"
            "  -    return a - b\n"
            "  +    return a + b\n"
            "\n"
            "$ make test\n"
            "  ✓ exit 0\n"
            "\n"
            "Done.\n"
            "\n"
            "✓ done · 1 file changed · 3 steps · tokens: 1,204 prefilled, 5,020 reused, "
            "310 generated · 42.1 tokens/s · 4.2 s\n");
}

TEST(HumanSink, ColoursDifferOnlyByEscapeSequences) {
  Screen plain, colour(coloured());
  play(plain);
  play(colour);
  EXPECT_NE(colour.text().find("\x1b[2m│ The tests\x1b[0m"), std::string::npos);
  EXPECT_NE(colour.text().find("\x1b[31m-    return a - b\x1b[0m"), std::string::npos);
  EXPECT_NE(colour.text().find("\x1b[32m+    return a + b\x1b[0m"), std::string::npos);
  EXPECT_EQ(printable(colour.text()), plain.text());
  EXPECT_EQ(plain.text().find('\x1b'), std::string::npos);
}

TEST(HumanSink, GivesTextOutWhileItIsGenerated) {
  Screen screen;
  const Item item{"m", MessageItem{}};
  screen(ItemUpdated{1, item, "Hello"});
  EXPECT_EQ(screen.text(), "Hello");
  screen(ItemUpdated{1, item, " world \n\n"});
  EXPECT_EQ(screen.text(), "Hello world");
  screen(ItemUpdated{1, item, "\n\n\nAgain"});
  EXPECT_EQ(screen.text(), "Hello world \n\nAgain");
  screen(ItemCompleted{1, item});
  EXPECT_EQ(screen.text(), "Hello world \n\nAgain\n");
}

TEST(HumanSink, BlankTextsShowNothing) {
  Screen screen;
  screen.stream(Item{"r", ReasoningItem{}}, {"\n", "\n"});
  screen.stream(Item{"m", MessageItem{}}, {"\n\n"});
  EXPECT_EQ(screen.text(), "");
}

TEST(HumanSink, LongOutputKeepsItsBeginningAndItsEnd) {
  Screen screen;
  std::string output;
  for (int line = 1; line <= 100; ++line) output += "line " + std::to_string(line) + "\n";
  screen.command("seq", 0, output);
  EXPECT_NE(screen.text().find("  line 8\n  ... 80 more lines\n  line 89\n"), std::string::npos)
      << screen.text();
  EXPECT_NE(screen.text().find("  line 100\n  ✓ exit 0\n"), std::string::npos);
}

TEST(HumanSink, OutputAtTheLimitIsWhole) {
  Screen screen;
  std::string output;
  for (int line = 1; line <= 20; ++line) output += "x\n";
  screen.command("seq", 0, output);
  EXPECT_EQ(screen.text().find("more lines"), std::string::npos);
}

TEST(HumanSink, LongLinesOfOutputAreCutAtACharacter) {
  Screen screen;
  std::string output;
  for (int count = 0; count < 300; ++count) output += "é";
  screen.command("x", 0, output);
  std::string expected = "$ x\n  ";
  for (int count = 0; count < 200; ++count) expected += "é";
  EXPECT_EQ(screen.text(), expected + "…\n  ✓ exit 0\n");
}

TEST(HumanSink, EveryStatusHasItsMark) {
  const auto mark = [](CommandItem::Status status, std::optional<int> code) {
    Screen screen;
    screen(ItemCompleted{1, Item{"c", CommandItem{"x", code, "", status}}});
    return screen.text();
  };
  using Status = CommandItem::Status;
  EXPECT_EQ(mark(Status::kTimeout, std::nullopt), "$ x\n  ✗ timeout\n");
  EXPECT_EQ(mark(Status::kDenied, std::nullopt), "$ x\n  ✗ denied\n");
  EXPECT_EQ(mark(Status::kInterrupted, std::nullopt), "$ x\n  ✗ interrupted\n");
  EXPECT_EQ(mark(Status::kCompleted, 139), "$ x\n  ✗ exit 139\n");
}

TEST(HumanSink, FailedToolsShowTheirWholeAnswer) {
  Screen screen;
  screen.tool({"read", R"({"path": "no"})", "E_PATH no no. Files: a.c", true});
  screen.tool({"search", R"({"pattern": "main", "path": "."})", "2 hits\na.c:1: main", false});
  screen.tool({"odd", "[1]", "E_TOOL no tool \"odd\".", true});
  EXPECT_EQ(screen.text(),
            "read no\n  E_PATH no no. Files: a.c\n\n"
            "search main\n  2 hits\n  a.c:1: main\n\n"
            "odd [1]\n  E_TOOL no tool \"odd\".\n");
}

TEST(HumanSink, CommandsOfSeveralLinesAreIndented) {
  Screen screen;
  screen.command("cat <<E\nx\nE", 0, "x");
  EXPECT_EQ(screen.text(), "$ cat <<E\n  x\n  E\n  x\n  ✓ exit 0\n");
}

TEST(HumanSink, FailedRunNamesItsReason) {
  Screen screen;
  screen(RunFailed{"script_end", "no reply left", Usage{}});
  EXPECT_EQ(screen.text(),
            "✗ failed: script_end (no reply left) · tokens: 0 prefilled, 0 reused, 0 generated · "
            "0.0 s\n");
}

TEST(HumanSink, NothingForeignReachesTheTerminalAsAControl) {
  const std::string evil =
      "a\x1b]0;title\x07\x1b[2Jb\x1b[31mc\r\b\x7f\xC2\x9B"
      "1md\xE2\x80\xAE.";
  Screen screen;
  screen.stream(Item{"m", MessageItem{}}, {evil.substr(0, 3), evil.substr(3, 20), evil.substr(23)});
  screen.command(evil, 0, evil);
  screen.tool({evil, evil, evil, true});
  screen(ItemCompleted{1, Item{"f", FileChangeItem{evil, FileChangeItem::Kind::kAdd, "+" + evil}}});
  screen(RunFailed{evil, evil, Usage{}});
  for (const char byte : screen.text()) {
    EXPECT_TRUE(static_cast<unsigned char>(byte) >= 0x20 || byte == '\n') << screen.text();
  }
  EXPECT_EQ(screen.text().substr(0, 6), "abcd.\n");
}

TEST(TerminalFilter, DropsSequencesHoweverTheyAreSplit) {
  const std::string text =
      "x\x1b[1;31mred\x1b[0m \x1b]8;;http://a\x1b\\link\x1b(B\x1b"
      "c \xC3\xA9\xFF\tend\n";
  const std::string expected = "xred link \xC3\xA9\xEF\xBF\xBD\tend\n";
  EXPECT_EQ(printable(text), expected);
  for (size_t at = 0; at <= text.size(); ++at) {
    TerminalFilter filter;
    std::string out = filter.push(text.substr(0, at));
    out += filter.push(text.substr(at));
    EXPECT_EQ(out + filter.finish(), expected) << at;
  }
}

TEST(TerminalFilter, AnUnfinishedSequenceSwallowsAtMostItsLine) {
  EXPECT_EQ(printable("a\x1b]never closed\nb"), "a\nb");
  const std::string tail = printable("\x1b]" + std::string(10000, 'x'));
  EXPECT_GT(tail.size(), 9000U);
}

}  // namespace
}  // namespace levin::agent
