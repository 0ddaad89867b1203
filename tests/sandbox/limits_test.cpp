// Resources (lines 42 to 52 of the abuse list): a greedy command is stopped, and only it.
#include <signal.h>

#include <thread>

#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

class LimitsTest : public IsolationTest {
 protected:
  ExitReport python(const Policy& how, const std::string& script) {
    ExitReport report =
        run(how, {.argv = {"/usr/bin/python3", "-c",
                           "import os, time\nprint('started', flush=True)\n" + script}});
    EXPECT_TRUE(report.output.starts_with("started\n")) << report.output;
    return report;
  }
};

TEST_F(LimitsTest, L42AForkBombIsStopped) {
  Policy limited = policy(Profile::kWorkspace);
  limited.limits.processes_max = 60;
  const ExitReport report =
      python(limited,
             "n = 0\n"
             "while n < 3000:\n"
             "  try:\n"
             "    if os.fork() == 0: time.sleep(3600.42)\n"
             "  except OSError: print('refused', n, flush=True); os._exit(3)\n"
             "  n += 1\n"
             "time.sleep(60)\n");
  if (::getuid() == 0) {  // The kernel's own limit exempts root: the init counts.
    EXPECT_EQ(report.ended_by, EndedBy::kProcessLimit) << report.output;
  } else {
    EXPECT_TRUE(has(report.output, "refused")) << report.output;
  }
  EXPECT_EQ(python(limited, "if os.fork() == 0: os._exit(0)\nos.wait(); print('forked')").output,
            "started\nforked\n");
}

TEST_F(LimitsTest, L43TooMuchMemoryStopsOnlyThatCommand) {
  Policy limited = policy(Profile::kWorkspace);
  limited.limits.memory_bytes_max = 64 << 20;
  const auto sandbox = Sandbox::open(limited);
  ASSERT_TRUE(sandbox);
  auto other = sandbox->start({.argv = {"sleep", "3600.43"}});
  ASSERT_TRUE(other);
  const auto greedy = sandbox->run(
      {.argv = {"/usr/bin/python3", "-c", "x = b'x' * (200 << 20)\nimport time; time.sleep(60)"}});
  ASSERT_TRUE(greedy);
  EXPECT_EQ(greedy->ended_by, EndedBy::kMemoryLimit) << greedy->output;
  EXPECT_FALSE(other->has_ended());
  EXPECT_EQ(python(limited, "x = b'x' * (8 << 20); print(len(x))").ended_by, EndedBy::kExit);
}

TEST_F(LimitsTest, L44PrivateFoldersAndTheDiskHaveAnEnd) {
  Policy limited = policy(Profile::kWorkspace);
  limited.limits.tmp_bytes_max = 8 << 20;
  limited.limits.disk_bytes_max = 16 << 20;
  const ExitReport tmp = shell(limited,
                               "head -c 4000000 /dev/zero > /tmp/a && echo fits; "
                               "head -c 20000000 /dev/zero > /tmp/b");
  EXPECT_TRUE(tmp.output.starts_with("fits\n")) << tmp.output;
  EXPECT_TRUE(has(tmp.output, "No space left")) << tmp.output;
  const ExitReport disk = python(limited,
                                 "f = open('big', 'wb')\n"
                                 "for i in range(400):\n"
                                 "  f.write(b'x' * (1 << 20)); f.flush(); os.fsync(f.fileno())\n"
                                 "time.sleep(60)\n");
  EXPECT_EQ(disk.ended_by, EndedBy::kDiskLimit) << disk.output;
}

TEST_F(LimitsTest, L45DescriptorsRunOut) {
  const ExitReport report =
      python(policy(Profile::kWorkspace),
             "import errno\nfds = []\n"
             "try:\n"
             "  while len(fds) < 10**6: fds.append(os.open('/dev/null', 0))\n"
             "except OSError as e: print(errno.errorcode[e.errno], len(fds) > "
             "4000)\n");
  EXPECT_EQ(report.output, "started\nEMFILE True\n");
}

TEST_F(LimitsTest, L47ProcessorTimeRunsOut) {
  Policy limited = policy(Profile::kWorkspace);
  limited.limits.cpu_ms = 1000;
  // A command yields to everything else: where the machine is full, a second of its time takes long.
  limited.limits.wall_ms = 150'000;
  // Of all processes together: none of the three reaches the limit, in the second case for being
  // short-lived.
  for (const char* line : {"for i in 1 2 3; do while :; do :; done & done; wait",
                           "while :; do (for i in $(seq 2000); do :; done); done"}) {
    const ExitReport report = shell(limited, line);
    EXPECT_EQ(report.ended_by, EndedBy::kSignal) << line;
    EXPECT_EQ(report.signal_number, SIGXCPU) << line;
    // Limit and report count what really ran, so not one millisecond is missing; beyond it comes
    // what runs between two looks.
    EXPECT_GE(report.cpu_ms, 1000) << line;
    EXPECT_LT(report.cpu_ms, 3000) << line;
  }
  EXPECT_EQ(shell(limited, "for i in $(seq 2000); do :; done; echo done").output, "done\n");
}

TEST_F(LimitsTest, L50OrphansAreReaped) {
  const ExitReport report = shell(
      "for i in $(seq 100); do (true &); done; "
      "for t in $(seq 200); do n=$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ' Z '); "
      "[ $n = 0 ] && break; done; echo zombies $n");
  EXPECT_EQ(report.output, "zombies 0\n");
}

TEST_F(LimitsTest, L52AHundredCommandsInParallel) {
  const auto sandbox = Sandbox::open(policy(Profile::kWorkspace));
  ASSERT_TRUE(sandbox);
  const auto open_files = [] {
    const fs::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto before = open_files();
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int thread = 0; thread < 10; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 10; ++round) {
        const int code = thread * 10 + round;
        const auto report = sandbox->run(
            {.argv = {"sh", "-c",
                      "echo " + std::to_string(code) + "; exit " + std::to_string(code)}});
        if (report && report->exit_code == code && report->output == std::to_string(code) + "\n") {
          ++good;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 100);
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace levin::sandbox
