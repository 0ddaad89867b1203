// How commands end, and what comes out of them; in a sandbox and with isolation switched off.
#include <signal.h>
#include <sys/resource.h>

#include <thread>

#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

class ProcessTest : public SandboxTest, public testing::WithParamInterface<Profile> {
 protected:
  void SetUp() override {
    static const std::string kMissing = missing_layer();
    if (GetParam() != Profile::kOff && !kMissing.empty()) {
      GTEST_SKIP() << "no sandbox on this machine: " << kMissing;
    }
    SandboxTest::SetUp();
  }
  Policy how() const { return policy(GetParam()); }
  // A number of seconds that names the sleeping processes of this test alone.
  std::string marker() const { return "3600." + std::to_string(::getpid()); }
};

INSTANTIATE_TEST_SUITE_P(Profiles, ProcessTest,
                         testing::Values(Profile::kReadOnly, Profile::kWorkspace, Profile::kOff),
                         [](const auto& param) {
                           return param.param == Profile::kOff        ? "Off"
                                  : param.param == Profile::kReadOnly ? "ReadOnly"
                                                                      : "Workspace";
                         });

TEST_P(ProcessTest, ExitCodesAreFaithful) {
  for (const int code : {0, 1, 2, 42, 125, 126, 127, 200, 255}) {
    const ExitReport report = run(how(), {{"sh", "-c", "exit " + std::to_string(code)}, "", ""});
    EXPECT_EQ(report.ended_by, EndedBy::kExit);
    EXPECT_EQ(report.exit_code, code);
  }
  const ExitReport missing = run(how(), {{"no-such-program-here", "x"}, "", ""});
  EXPECT_EQ(missing.ended_by, EndedBy::kExit);
  EXPECT_EQ(missing.exit_code, 127);
  EXPECT_TRUE(has(missing.output, "no-such-program-here")) << missing.output;
}

TEST_P(ProcessTest, DeathBySignalIsReportedAsSuch) {
  for (const int number : {SIGKILL, SIGSEGV, SIGTERM, SIGABRT}) {
    const ExitReport report =
        run(how(), {{"sh", "-c", "kill -" + std::to_string(number) + " $$"}, "", ""});
    EXPECT_EQ(report.ended_by, EndedBy::kSignal) << number;
    EXPECT_EQ(report.signal_number, number);
  }
}

TEST_P(ProcessTest, InputAndOutputCarryAnyBytes) {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  while (bytes.size() < 100'000) bytes += bytes;
  Policy wide = how();
  wide.limits.output_head_bytes = bytes.size();
  const ExitReport report = run(wide, {{"cat"}, "", bytes});
  EXPECT_EQ(report.output, bytes);
  EXPECT_EQ(report.output_bytes, bytes.size());
  EXPECT_EQ(report.output_cut_at, 0U);
  EXPECT_EQ(run(how(), {{"wc", "-c"}, "", ""}).output, "0\n");
  EXPECT_EQ(run(how(), {{"true"}, "", bytes}).exit_code, 0) << "input that nobody reads";
}

TEST_P(ProcessTest, BothStreamsAreMergedInOrder) {
  EXPECT_EQ(shell(how(), "echo 1; echo 2 >&2; echo 3; echo 4 >&2").output, "1\n2\n3\n4\n");
}

TEST_P(ProcessTest, SinkSeesTheWholeOutput) {
  const auto sandbox = Sandbox::open(how());
  ASSERT_TRUE(sandbox);
  std::string seen;
  const auto report =
      sandbox->run({{"seq", "100000"}, "", ""}, [&](std::string_view bytes) { seen += bytes; });
  ASSERT_TRUE(report);
  EXPECT_EQ(seen.size(), report->output_bytes);
  EXPECT_TRUE(seen.ends_with("100000\n"));
  EXPECT_EQ(report->output_cut_at, how().limits.output_head_bytes);
  EXPECT_TRUE(report->output.ends_with("99999\n100000\n"));
}

TEST_P(ProcessTest, WorkingFolderIsInsideTheWorkspace) {
  write_text(workspace_ / "sub/f", "");
  EXPECT_EQ(run(how(), {{"ls"}, "sub", ""}).output, "f\n");
  const auto sandbox = Sandbox::open(how());
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(sandbox->run({{"ls"}, "../x", ""}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(sandbox->run({{"ls"}, "/etc", ""}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(sandbox->run({{"ls"}, "missing", ""}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(sandbox->run({{}, "", ""}).error().code(), ErrorCode::kInvalidArgument);
}

TEST_P(ProcessTest, TimeoutEndsAPoliteCommandBySigint) {
  Policy limited = how();
  limited.limits.wall_ms = 150;
  limited.limits.grace_ms = 10'000;
  const ExitReport report = shell(limited, "trap 'echo cleaned; exit 3' INT; sleep 60 & wait");
  EXPECT_EQ(report.ended_by, EndedBy::kTimeout);
  EXPECT_EQ(report.output, "cleaned\n");
  EXPECT_LT(report.wall_ms, 5'000);
}

TEST_P(ProcessTest, TimeoutKillsATreeThatIgnoresSignals) {
  Policy limited = how();
  limited.limits.wall_ms = 150;
  limited.limits.grace_ms = 100;
  const ExitReport report =
      shell(limited, "trap '' INT TERM; (setsid sleep " + marker() + "; true) & (sleep " +
                         marker() + " | cat) & sleep " + marker() + "; echo survived");
  EXPECT_EQ(report.ended_by, EndedBy::kTimeout);
  EXPECT_GE(report.wall_ms, 300);
  EXPECT_LT(report.wall_ms, 5'000);
  EXPECT_FALSE(has(report.output, "survived"));
  EXPECT_FALSE(is_running(marker()));
}

TEST_P(ProcessTest, BackgroundProcessesEndWithTheCommandAndDoNotHoldIt) {
  const ExitReport report = shell(
      how(), "sleep " + marker() + " & (trap '' INT TERM; sleep " + marker() + ") & echo end");
  EXPECT_EQ(report.ended_by, EndedBy::kExit);
  EXPECT_EQ(report.output, "end\n");
  EXPECT_LT(report.wall_ms, 5'000);
  EXPECT_FALSE(is_running(marker()));
}

TEST_P(ProcessTest, EndlessOutputIsCutAndKilled) {
  Policy limited = how();
  limited.limits.output_head_bytes = 100;
  limited.limits.output_tail_bytes = 100;
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const ExitReport report = run(limited, {{"yes"}, "", ""});
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(report.ended_by, EndedBy::kOutputLimit);
  EXPECT_GT(report.output_bytes, limited.limits.output_bytes_max);
  EXPECT_EQ(report.output.size(), 200U);
  EXPECT_EQ(report.output_cut_at, 100U);
  // 64 MiB came; the peak of this process may grow by the buffers only.
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024);
}

TEST_P(ProcessTest, InterruptEndsTheCommandAtOnce) {
  std::atomic<bool> interrupted = false;
  std::thread user([&] {
    // Waits for the command itself, so that the interrupt does not come before it.
    while (!is_running(marker())) std::this_thread::yield();
    interrupted = true;
  });
  const ExitReport report =
      run(how(), {{"bash", "-c", "trap '' INT TERM; sleep " + marker()}, "", ""}, &interrupted);
  user.join();
  EXPECT_EQ(report.ended_by, EndedBy::kInterrupt);
  EXPECT_LT(report.wall_ms, 5'000);
  EXPECT_FALSE(is_running(marker()));
  std::atomic<bool> never = false;
  EXPECT_EQ(run(how(), {{"true"}, "", ""}, &never).ended_by, EndedBy::kExit);
}

TEST_P(ProcessTest, ResourceLimitsHold) {
  Policy limited = how();
  limited.limits.open_files_max = 32;
  limited.limits.file_size_bytes_max = 4096;
  limited.limits.processes_max = 20;
  const ExitReport limits = shell(limited, "ulimit -n; ulimit -c; ulimit -f");
  EXPECT_EQ(limits.output, "32\n0\n4\n");
  const std::string place = GetParam() == Profile::kOff ? workspace_.string() + "/big" : "/tmp/big";
  const ExitReport large = shell(limited, "head -c 100000 /dev/zero > " + place);
  EXPECT_EQ(large.ended_by, EndedBy::kSignal);
  EXPECT_EQ(large.signal_number, SIGXFSZ);
  if (::getuid() == 0) return;  // The kernel exempts root from the process limit.
  // dash gives up at once where bash would try again for seconds.
  const ExitReport many = run(
      limited, {{"sh", "-c", "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i + 1)); done"}, "", ""});
  EXPECT_TRUE(has(many.output, "fork")) << many.output;
}

TEST_P(ProcessTest, DescriptorsOfTheCallerAreNotInherited) {
  const std::string secret = (home_ / ".ssh/id_test").string();
  FILE* leaked = std::fopen(secret.c_str(), "r");  // Not close-on-exec.
  ASSERT_NE(leaked, nullptr);
  const ExitReport report = shell(how(), "ls -l /proc/self/fd; ls /proc/self/fd | wc -l");
  std::fclose(leaked);
  EXPECT_FALSE(has(report.output, "id_test")) << report.output;
  EXPECT_TRUE(report.output.ends_with("\n4\n")) << report.output;
}

TEST_P(ProcessTest, ManyCommandsLeaveNothingBehind) {
  const auto sandbox = Sandbox::open(how());
  ASSERT_TRUE(sandbox);
  const auto open_files = [] {
    const fs::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto before = open_files();
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 5; ++round) {
        const int code = thread * 5 + round;
        const auto report = sandbox->run({{"sh", "-c", "exit " + std::to_string(code)}, "", ""});
        if (report && report->exit_code == code) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 20);
  EXPECT_EQ(open_files(), before);
}

TEST_P(ProcessTest, WallLimitCanBeReplaced) {
  const auto sandbox = Sandbox::open(how());
  ASSERT_TRUE(sandbox);
  const auto report = sandbox->with_wall_limit_ms(50).run({{"sleep", "60"}, "", ""});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->ended_by, EndedBy::kTimeout);
  EXPECT_EQ(sandbox->policy().limits.wall_ms, how().limits.wall_ms);
}

}  // namespace
}  // namespace levin::sandbox
