// Ctrl-C: a run ends cleanly, tells so, and leaves no process behind.
#include <signal.h>
#include <unistd.h>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

// Whether a process whose command line holds `marker` runs on this machine.
bool is_running(const std::string& marker) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    if (entry.path().filename() == std::to_string(::getpid())) continue;
    if (has(read_text(entry.path() / "cmdline"), marker)) return true;
  }
  return false;
}

class InterruptTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
  }

  static test::ProgramOptions signal_after(const std::string& text, int number = SIGINT) {
    test::ProgramOptions options;
    options.signal_number = number;
    options.signal_after = text;
    return options;
  }

  static void expect_interrupted(const Told& told) {
    EXPECT_EQ(told.program.exit_code, 130) << told.program.out << told.program.err;
    EXPECT_EQ(told.reason(), "interrupted");
    EXPECT_EQ(told.records.back()["reason"], "interrupted");
    EXPECT_TRUE(read_text(told.transcript).ends_with("}\n")) << "the transcript is cut";
  }

  // A reply that takes a minute to come.
  static Json slow_reply() {
    std::string text;
    for (int count = 0; count < 600; ++count) text += "word ";
    return {{"text", text}, {"pace_ms", 100}};
  }
};

TEST_F(InterruptTest, DuringGenerationTheRunEndsAndKeepsWhatWasSampled) {
  const Told told =
      run({"--model", script_lines({slow_reply()}), "Please help."}, signal_after("\"delta\""));
  expect_interrupted(told);
  EXPECT_EQ(told.of_type("state").size(), 1u);
  EXPECT_GT(told.last()["usage"]["generated"], 0);
  EXPECT_LT(told.last()["usage"]["generated"], 600);
}

TEST_F(InterruptTest, TerminateIsLikeInterrupt) {
  expect_interrupted(run({"--model", script_lines({slow_reply()}), "Please help."},
                         signal_after("\"delta\"", SIGTERM)));
}

TEST_F(InterruptTest, DuringACommandTheWholeTreeEnds) {
  for (const char* sandbox : {"workspace", "off"}) {
    const std::string nap = "sleep 30.0" + std::to_string(::getpid());
    const Told told = run(
        {"--sandbox", sandbox, "--model",
         script({block({bash("echo be''gun; " + nap + " & " + nap + "; echo never")}), "Done."}),
         "Please help."},
        signal_after("begun"));
    expect_interrupted(told);
    EXPECT_FALSE(is_running(nap.substr(6))) << "--sandbox " << sandbox;
    const auto commands = told.items("item.completed", "command");
    ASSERT_EQ(commands.size(), 1u);
    EXPECT_EQ(commands[0]["status"], "interrupted");
    EXPECT_TRUE(has(told.results().at(0), "E_INTERRUPTED")) << told.results().at(0);
  }
}

TEST_F(InterruptTest, CallsAfterTheInterruptedOneDoNotRun) {
  const Told told = run({"--model",
                         script({block({bash("echo be''gun; sleep 30"), bash("touch later"),
                                        call("write", {{"path", "x"}, {"content", "x"}})}),
                                 "Done."}),
                         "Please help."},
                        signal_after("begun"));
  expect_interrupted(told);
  EXPECT_EQ(git_status(), "");
}

}  // namespace
}  // namespace levin::cli
