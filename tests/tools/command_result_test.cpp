#include "tools/command_result.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "tools/truncate.h"

namespace levin::tools {
namespace {

sandbox::ExitReport report(std::string output) {
  sandbox::ExitReport result;
  result.output_bytes = output.size();
  result.output = std::move(output);
  return result;
}

std::string text(const sandbox::ExitReport& exit, int64_t timeout_s = 120,
                 const std::string& spill = "") {
  return command_result(exit, shown_output(command_output(exit), spill), timeout_s).text;
}

TEST(CommandResult, FirstLineSaysHowItEnded) {
  sandbox::ExitReport exit = report("a\n");
  exit.wall_ms = 9'999;
  EXPECT_EQ(text(exit), "exit 0\na");
  exit.wall_ms = 12'900;
  EXPECT_EQ(text(exit), "exit 0 in 12s\na");
  exit.ended_by = sandbox::EndedBy::kSignal;
  exit.signal_number = 9;
  EXPECT_EQ(text(exit), "killed by SIGKILL\na");
  exit.ended_by = sandbox::EndedBy::kTimeout;
  EXPECT_EQ(text(exit, 5), "E_TIMEOUT 5 s, last output below; rerun with a larger timeout_s.\na");
  const ToolResult result = command_result(exit, "", 5);
  EXPECT_TRUE(result.failed);
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_TRUE(result.is_command);
}

TEST(CommandResult, OutputIsCleaned) {
  EXPECT_EQ(clean_output("\x1B[1;31mred\x1B[0m \x1B]0;title\a!\x1B(B"), "red !");
  EXPECT_EQ(clean_output("10%\r50%\r100%\r\ndone\r\n"), "100%\ndone\n");
  EXPECT_EQ(clean_output("a\x01\x08\tb\x7F\xFF\n"), "a\tb\uFFFD\n");
  EXPECT_EQ(clean_output("end\x1B"), "end");
  EXPECT_EQ(clean_output("end\x1B["), "end");
  EXPECT_EQ(clean_output("\x1B]never\nnext"), "\nnext");
  EXPECT_EQ(text(report(std::string("\x7F"
                                    "ELF\0\0",
                                    6))),
            "exit 0\nbinary, 6 bytes");
}

TEST(CommandResult, LongOutputKeepsHeadAndTail) {
  const std::string output(20'000, 'x');
  EXPECT_EQ(text(report(output)), "exit 0\n" + std::string(4000, 'x') +
                                      "\n... 8000 bytes left out ...\n" + std::string(8000, 'x'));
  EXPECT_NE(
      text(report(output), 120, "/spill/1.txt").find("left out; all of it: read /spill/1.txt ..."),
      std::string::npos);
  EXPECT_EQ(text(report(std::string(12'000, 'x'))), "exit 0\n" + std::string(12'000, 'x'));
}

TEST(CommandResult, ManyLinesKeepHeadAndTail) {
  std::string output;
  for (int line = 1; line <= 1000; ++line) output += std::to_string(line) + "\n";
  const std::string shown = text(report(output));
  EXPECT_NE(shown.find("\n200\n... 801 bytes left out ...\n401\n"), std::string::npos) << shown;
  EXPECT_TRUE(shown.ends_with("\n999\n1000"));
}

TEST(CommandResult, CutsNeverSplitCharacters) {
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string output(shift, 'a');
    for (int count = 0; count < 8'000; ++count) output += "漢";
    const Truncated cut = truncate_middle(output);
    EXPECT_TRUE(utf8_is_valid(cut.head));
    EXPECT_TRUE(utf8_is_valid(cut.tail));
    EXPECT_EQ(cut.head.size() + cut.tail.size() + cut.left_out_bytes, output.size());
  }
}

TEST(CommandResult, SaysWhatTheSandboxDidNotKeep) {
  sandbox::ExitReport exit = report("headtail");
  exit.output_cut_at = 4;
  exit.output_bytes = 1000;
  EXPECT_EQ(text(exit), "exit 0\nhead\n... 992 bytes were not kept ...\ntail");
}

}  // namespace
}  // namespace levin::tools
