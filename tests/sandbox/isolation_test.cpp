// What a command cannot do, each beside what it can (the positive twin), on the real kernel.
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>
#include <thread>

#include "base/unique_fd.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

TEST_F(IsolationTest, WritesOutsideTheWorkspaceFail) {
  const std::string home = home_.string();
  for (const std::string& target :
       {home + "/new", home + "/.bashrc", std::string("/etc/levin-test"),
        std::string("/etc/passwd"), std::string("/usr/levin-test"), std::string("/levin-test"),
        home + "/code/sibling/file", home + "/code/new",
        std::string("/proc/sys/kernel/core_pattern"), std::string("/proc/sys/vm/drop_caches"),
        std::string("/proc/sysrq-trigger"), std::string("/opt/levin-test")}) {
    const bool existed = fs::exists(target);
    const std::string before = read_text(target);
    // Opens for appending and writes nothing: a hole must not break the machine that finds it.
    const ExitReport report = shell(": >> '" + target + "'");
    EXPECT_EQ(report.exit_code, 1) << target << report.output;
    EXPECT_TRUE(has(report.output, target + ": ")) << report.output;
    EXPECT_EQ(fs::exists(target), existed) << target;
    EXPECT_EQ(read_text(target), before) << target;
  }
  // The folders above a workspace in /tmp are those of the private /tmp.
  EXPECT_EQ(shell("echo x > '" + root_.string() + "/new'").exit_code, 0);
  EXPECT_FALSE(fs::exists(root_ / "new"));
  const ExitReport twin = shell("echo -n written > new && mkdir -p a/b && echo -n x > a/b/c");
  EXPECT_EQ(twin.exit_code, 0) << twin.output;
  EXPECT_EQ(read_text(workspace_ / "new"), "written");
  EXPECT_EQ(read_text(workspace_ / "a/b/c"), "x");
}

TEST_F(IsolationTest, ReadOnlyProfileRefusesWorkspaceWrites) {
  const Policy how = policy(Profile::kReadOnly);
  const ExitReport write = shell(how, "echo x > new; echo x > file; rm -f file; mkdir d; cat file");
  EXPECT_EQ(write.exit_code, 0);
  EXPECT_TRUE(has(write.output, "Read-only file system")) << write.output;
  EXPECT_TRUE(write.output.ends_with("original")) << write.output;
  EXPECT_EQ(read_text(workspace_ / "file"), "original");
  EXPECT_FALSE(fs::exists(workspace_ / "new"));
  const ExitReport twin = shell(how, "echo private > /tmp/x && cat /tmp/x && echo > ~/.cache/x");
  EXPECT_EQ(twin.output, "private\n");
  EXPECT_EQ(twin.exit_code, 0);
}

TEST_F(IsolationTest, SecretsOfTheHomeAreInvisible) {
  fs::create_symlink(home_ / ".ssh/id_test", workspace_ / "link");
  fs::create_hard_link(workspace_ / "file", workspace_ / "hard");
  fs::create_symlink("file", workspace_ / "good");
  const ExitReport report =
      shell("cat ~/.ssh/id_test; cat link; ls ~/.ssh ../sibling; echo; cat good");
  EXPECT_FALSE(has(report.output, "private-key-bytes")) << report.output;
  EXPECT_TRUE(has(report.output, "No such file")) << report.output;
  EXPECT_TRUE(report.output.ends_with("original")) << report.output;
  EXPECT_NE(shell("echo broken > link").exit_code, 0);
  EXPECT_EQ(read_text(home_ / ".ssh/id_test"), "private-key-bytes");
}

TEST_F(IsolationTest, SecretsOfTheMachineAreUnreadable) {
  for (const char* path : {"/etc/shadow", "/etc/gshadow", "/etc/machine-id"}) {
    if (!fs::exists(path)) continue;
    const ExitReport report = shell(std::string("cat ") + path);
    EXPECT_NE(report.exit_code, 0) << path << report.output;
  }
  EXPECT_TRUE(has(shell("cat /etc/passwd").output, "root:"));
  const ExitReport root = shell("ls -A /var /run /home /root /mnt /srv /sys /boot 2>/dev/null");
  EXPECT_FALSE(has(root.output, "log")) << root.output;
}

TEST_F(IsolationTest, ToolchainsAreReadOnlyAndWork) {
  write_text(home_ / ".local/bin/tool", "#!/bin/sh\necho tool works\n");
  fs::permissions(home_ / ".local/bin/tool", fs::perms::all);
  const ExitReport report = shell("~/.local/bin/tool; echo x >> ~/.local/bin/tool || echo refused");
  EXPECT_TRUE(report.output.starts_with("tool works\n")) << report.output;
  EXPECT_TRUE(report.output.ends_with("refused\n")) << report.output;
}

TEST_F(IsolationTest, TemporaryFoldersArePrivate) {
  const std::string name = "/tmp/levin-private-" + std::to_string(::getpid());
  write_text(name + "-host", "host");
  const ExitReport report = shell("ls /tmp /var/tmp; echo x > " + name + " && cat " + name);
  fs::remove(name + "-host");
  EXPECT_FALSE(has(report.output, "-host")) << report.output;
  EXPECT_TRUE(report.output.ends_with("x\n")) << report.output;
  EXPECT_FALSE(fs::exists(name));
  EXPECT_NE(shell("cat " + name).exit_code, 0) << "kept from one command to the next";
}

// A listener on the host's 127.0.0.1; returns its port.
int listen_on_host(UniqueFd& listener) {
  listener = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 4) != 0) return 0;
  ::getsockname(listener.get(), generic, &size);
  return ntohs(address.sin_port);
}

TEST_F(IsolationTest, NoNetwork) {
  UniqueFd listener;
  const int port = listen_on_host(listener);
  ASSERT_NE(port, 0);
  const std::string connect = "exec 9<>/dev/tcp/127.0.0.1/" + std::to_string(port);
  EXPECT_NE(shell(connect).exit_code, 0);
  EXPECT_EQ(shell(policy(Profile::kOff), connect).exit_code, 0) << "the listener itself is broken";
  const ExitReport outside = shell("exec 9<>/dev/tcp/192.0.2.1/80");
  EXPECT_TRUE(has(outside.output, "unreachable")) << outside.output;
}

TEST_F(IsolationTest, ServersInsideOneCommandWork) {
  const std::string script =
      "import socket\n"
      "s = socket.create_server(('127.0.0.1', 0))\n"
      "c = socket.create_connection(s.getsockname())\n"
      "c.sendall(b'hello'); print(s.accept()[0].recv(5).decode())\n";
  if (!fs::exists("/usr/bin/python3")) GTEST_SKIP() << "needs /usr/bin/python3";
  const ExitReport report =
      run(policy(Profile::kReadOnly), {{"/usr/bin/python3", "-c", script}, "", ""});
  EXPECT_EQ(report.output, "hello\n");
}

TEST_F(IsolationTest, ProcessesOfTheMachineAreInvisible) {
  const std::string self = std::to_string(::getpid());
  const ExitReport report = shell("kill -0 " + self + " && echo reached; kill -KILL " + self +
                                  "; ls -d /proc/[0-9]* | wc -l");
  EXPECT_FALSE(has(report.output, "reached"));
  EXPECT_LT(
      std::atoi(
          report.output.substr(report.output.rfind('\n', report.output.size() - 2) + 1).c_str()),
      8)
      << report.output;
  EXPECT_EQ(shell("sleep 60 & kill -0 $! && echo alive").output, "alive\n");
}

TEST_F(IsolationTest, EnvironmentOfTheCallerStaysOutside) {
  ::setenv("LEVIN_TEST_TOKEN", "environment-secret", 1);
  const ExitReport report = shell("env; tr '\\0' '\\n' < /proc/1/environ; echo HOME is $HOME");
  ::unsetenv("LEVIN_TEST_TOKEN");
  EXPECT_FALSE(has(report.output, "environment-secret")) << report.output;
  EXPECT_TRUE(has(report.output, "HOME is " + home_.string())) << report.output;
}

TEST_F(IsolationTest, NoPrivilegesAndNoNestedNamespaces) {
  const ExitReport report = shell(
      "grep -E '^(CapEff|CapBnd|CapPrm|NoNewPrivs)' /proc/self/status; "
      "unshare -U true && echo nested; mount -t tmpfs t /tmp && echo mounted; "
      "mknod node b 7 0 && echo node; hostname");
  EXPECT_TRUE(has(report.output, "CapEff:\t0000000000000000")) << report.output;
  EXPECT_TRUE(has(report.output, "CapBnd:\t0000000000000000")) << report.output;
  EXPECT_TRUE(has(report.output, "NoNewPrivs:\t1")) << report.output;
  for (const char* word : {"nested\n", "mounted\n", "node\n"}) {
    EXPECT_FALSE(has(report.output, word)) << report.output;
  }
  EXPECT_TRUE(report.output.ends_with("levin\n")) << report.output;
}

TEST_F(IsolationTest, CommandsDieWithTheirCaller) {
  const std::string marker = "3600.7" + std::to_string(::getpid());
  const auto sandbox = Sandbox::open(policy(Profile::kReadOnly));
  ASSERT_TRUE(sandbox);
  const pid_t caller = ::fork();
  if (caller == 0) {
    const auto report = sandbox->run(
        {{"bash", "-c", "trap '' INT TERM; sleep " + marker + " & sleep " + marker}, "", ""});
    ::_exit(report ? 0 : 1);
  }
  // Only the sleeping processes have "sleep" as a word of its own before the marker.
  const std::string sleeper = std::string("sleep") + '\0' + marker;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto in_time = [&] { return std::chrono::steady_clock::now() < deadline; };
  while (!is_running(sleeper) && in_time()) std::this_thread::yield();
  EXPECT_TRUE(is_running(sleeper)) << "the command never started";
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  while (is_running(sleeper) && in_time()) std::this_thread::yield();
  EXPECT_FALSE(is_running(sleeper));
}

TEST_F(IsolationTest, RefusesWhereUserNamespacesAreSwitchedOff) {
  if (std::getenv("LEVIN_TEST_NESTED") != nullptr) {
    const auto sandbox = Sandbox::open(policy(Profile::kReadOnly));
    ASSERT_FALSE(sandbox);
    EXPECT_EQ(sandbox.error().code(), ErrorCode::kUnsupported);
    EXPECT_TRUE(has(sandbox.error().message(), "user namespace")) << sandbox.error().message();
    EXPECT_TRUE(has(sandbox.error().message(), "--sandbox off")) << sandbox.error().message();
    EXPECT_TRUE(Sandbox::open(policy(Profile::kOff)));
    return;
  }
  // This same test again, in a user namespace that allows no further one.
  Policy off = policy(Profile::kOff);
  off.environment.emplace_back("LEVIN_TEST_NESTED", "1");
  const std::string self = fs::canonical("/proc/self/exe");
  const ExitReport report =
      run(off, {{"unshare", "-r", "sh", "-c",
                 "echo 0 > /proc/sys/user/max_user_namespaces || exit 99; exec \"$@\"", "sh", self,
                 "--gtest_filter=*RefusesWhereUserNamespacesAreSwitchedOff"}});
  EXPECT_EQ(report.exit_code, 0) << report.output;
  EXPECT_TRUE(has(report.output, "1 test")) << report.output;
}

}  // namespace
}  // namespace levin::sandbox
