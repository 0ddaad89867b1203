// Runs the tests of this program once more as an ordinary user, where they run as root: kernels and
// tools treat the two differently.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace levin::sandbox {

// Without an entry in the user table, as in many containers.
inline constexpr uid_t kOrdinaryUser = 12345;

// Of the child: only system calls that may follow a fork().
[[noreturn]] inline void become_user(int program, int output, char** argv, char** environment) {
  ::dup2(output, 1);
  ::dup2(output, 2);
  const bool is_user = ::setgroups(0, nullptr) == 0 &&
                       ::setresgid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) == 0 &&
                       ::setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) == 0;
  if (is_user) ::fexecve(program, argv, environment);
  ::_exit(99);
}

// For a test named AsOrdinaryUser.*: the others of this program, minus `leave_out` (a gtest
// filter).
inline void expect_all_pass_as_user(const std::string& leave_out = "") {
  if (::geteuid() != 0) GTEST_SKIP() << "these tests run as an ordinary user already";
  const int program = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  std::string name = "tests-as-user";
  std::string filter = "--gtest_filter=-AsOrdinaryUser.*:" + leave_out;
  char* argv[] = {name.data(), filter.data(), nullptr};
  std::string home = "HOME=/tmp";
  std::string path = "PATH=/usr/local/bin:/usr/bin:/bin";
  char* environment[] = {home.data(), path.data(), nullptr};
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) become_user(program, ends[1], argv, environment);
  ::close(ends[1]);
  ::close(program);
  std::string output;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    output.append(buffer, static_cast<size_t>(count));
  }
  ::close(ends[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  ASSERT_NE(WEXITSTATUS(status), 99) << "cannot become an ordinary user";
  EXPECT_EQ(WEXITSTATUS(status), 0) << output;
  EXPECT_NE(output.find("[==========]"), std::string::npos) << output;
  if (output.find("[  PASSED  ] 0 tests") != std::string::npos) {
    GTEST_SKIP() << "all of them were skipped: " << output;
  }
}

}  // namespace levin::sandbox
