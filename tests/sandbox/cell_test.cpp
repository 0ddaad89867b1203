// What a cell offers beside isolation: terminals, input, passed descriptors, sockets of its
// network, background commands; and what happens when its warden dies.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <thread>

#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

class CellTest : public IsolationTest {
 protected:
  Sandbox open(const Policy& how) {
    auto opened = Sandbox::open(how);
    EXPECT_TRUE(opened) << opened.error().message();
    return *std::move(opened);
  }
  Sandbox open() { return open(policy(Profile::kWorkspace)); }
};

// Reads until `wanted` came, the end, or ten seconds of silence.
std::string read_until(Process& process, const std::string& wanted) {
  std::string text;
  while (text.find(wanted) == std::string::npos) {
    pollfd watched{process.output_fd(), POLLIN, 0};
    if (::poll(&watched, 1, 10'000) <= 0) break;
    char bytes[4096];
    const ssize_t count = ::read(process.output_fd(), bytes, sizeof(bytes));
    if (count <= 0) break;
    text.append(bytes, static_cast<size_t>(count));
  }
  return text;
}

// Waits for the end without reading.
void await_end(Process& process) {
  while (!process.has_ended()) {
    pollfd watched{process.event_fd(), POLLIN, 0};
    ASSERT_GT(::poll(&watched, 1, 10'000), 0) << "it does not end";
  }
}

uint16_t port_of(const UniqueFd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

TEST_F(CellTest, ATerminalOfItsOwn) {
  const Sandbox sandbox = open();
  const auto report = sandbox.run({.argv = {"sh", "-c", "tty; stty size; test -t 0 && echo yes"},
                                   .pty = true,
                                   .rows = 33,
                                   .columns = 101});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->output, "/dev/pts/0\r\n33 101\r\nyes\r\n");
}

TEST_F(CellTest, ControlCReachesTheForeground) {
  const Sandbox sandbox = open();
  auto process = sandbox.start(
      {.argv = {"bash", "-c", "trap 'echo caught; exit 5' INT; echo up; read x"}, .pty = true});
  ASSERT_TRUE(process) << process.error().message();
  EXPECT_TRUE(has(read_until(*process, "up"), "up"));
  ASSERT_TRUE(process->write_input("\x03"));
  const auto report = process->wait();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->exit_code, 5) << report->output;
}

TEST_F(CellTest, InputComesThroughAPipe) {
  const Sandbox sandbox = open();
  auto process =
      sandbox.start({.argv = {"sh", "-c", "read a; echo got $a; cat"}, .input_pipe = true});
  ASSERT_TRUE(process);
  ASSERT_TRUE(process->write_input("first\n"));
  EXPECT_EQ(read_until(*process, "got first\n"), "got first\n");
  ASSERT_TRUE(process->write_input("rest"));
  process->close_input();
  const auto report = process->wait();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->output, "rest");
  EXPECT_FALSE(process->write_input("late"));
}

TEST_F(CellTest, DescriptorsCanBePassed) {
  const Sandbox sandbox = open();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const std::string secret = (home_ / ".ssh/id_test").string();
  const UniqueFd third(::open(secret.c_str(), O_RDONLY | O_CLOEXEC));
  const auto report =
      sandbox.run({.argv = {"sh", "-c", "echo through >&4; cat <&3; ls /proc/self/fd | wc -l"},
                   .extra_fds = {third.get(), writer.get()}});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->output, "private-key-bytes6\n") << "and nothing else is open";
  char bytes[16];
  EXPECT_EQ(::read(reader.get(), bytes, sizeof(bytes)), 8);
}

TEST_F(CellTest, OutputCanGoToAFile) {
  const Sandbox sandbox = open();
  const UniqueFd log(::open((root_ / "log").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  auto process = sandbox.start({.argv = {"sh", "-c", "echo logged"}, .output_file = log.get()});
  ASSERT_TRUE(process);
  await_end(*process);
  EXPECT_TRUE(process->report());
  EXPECT_EQ(read_text(root_ / "log"), "logged\n");
}

TEST_F(CellTest, L34ServersAreReachedInTheSessionOnly) {
  if (!fs::exists("/usr/bin/python3")) GTEST_SKIP() << "needs /usr/bin/python3";
  const Sandbox sandbox = open();
  auto server = sandbox.start({.argv = {"/usr/bin/python3", "-c",
                                        "import socket\n"
                                        "s = socket.create_server(('127.0.0.1', 4000))\n"
                                        "print('up', flush=True)\n"
                                        "while True: s.accept()[0].sendall(b'hello')\n"}});
  ASSERT_TRUE(server);
  ASSERT_EQ(read_until(*server, "up\n"), "up\n");
  const std::string client = "exec 9<>/dev/tcp/127.0.0.1/4000 && head -c5 <&9";
  const auto near = sandbox.run({.argv = {"bash", "-c", client}});
  ASSERT_TRUE(near);
  EXPECT_EQ(near->output, "hello");
  // The preview: an unconnected socket of the cell, connected from outside.
  const auto socket = sandbox.socket();
  ASSERT_TRUE(socket);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(4000);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            0);
  char bytes[8];
  EXPECT_EQ(::recv(socket->get(), bytes, 5, MSG_WAITALL), 5);
  const auto far = open().run({.argv = {"bash", "-c", client}});
  ASSERT_TRUE(far);
  EXPECT_TRUE(has(far->output, "refused")) << far->output;
}

TEST_F(CellTest, AListenerInsideIsServedFromOutside) {
  const Sandbox sandbox = open();
  const auto listener = sandbox.listen(0);
  ASSERT_TRUE(listener) << listener.error().message();
  std::thread server([&] {
    const UniqueFd peer(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_EQ(::send(peer.get(), "outside", 7, MSG_NOSIGNAL), 7);
  });
  const std::string port = std::to_string(port_of(*listener));
  const auto report =
      sandbox.run({.argv = {"bash", "-c", "exec 9<>/dev/tcp/127.0.0.1/" + port + " && cat <&9"}});
  server.join();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->output, "outside");
  EXPECT_FALSE(sandbox.listen(port_of(*listener))) << "the port is taken";
  EXPECT_FALSE(open(policy(Profile::kOff)).listen(0));
}

TEST_F(CellTest, BackgroundCommandsDieWithTheirHandleAndWithTheSession) {
  const std::string marker = "3600.8" + std::to_string(::getpid());
  const auto gone = [&] {
    for (int round = 0; round < 100'000 && is_running("sleep" + std::string(1, '\0') + marker);
         ++round) {
    }
    return !is_running("sleep" + std::string(1, '\0') + marker);
  };
  std::optional<Sandbox> sandbox = open();
  const Command command = {
      .argv = {"bash", "-c",
               "trap '' INT TERM; (setsid sleep " + marker + " &); echo up; sleep " + marker}};
  {
    auto process = sandbox->start(command);
    ASSERT_TRUE(process);
    EXPECT_EQ(read_until(*process, "up\n"), "up\n");
    EXPECT_FALSE(process->has_ended());
    EXPECT_TRUE(is_running(marker));
  }
  EXPECT_TRUE(gone());
  auto process = sandbox->start(command);
  ASSERT_TRUE(process);
  EXPECT_EQ(read_until(*process, "up\n"), "up\n");
  sandbox.reset();
  EXPECT_TRUE(gone());
}

TEST_F(CellTest, SignalsReachEveryProcess) {
  const Sandbox sandbox = open();
  auto process = sandbox.start(
      {.argv = {"bash", "-c", "trap 'echo one; exit 7' TERM; echo up; while :; do read -t 1; done"},
       .input_pipe = true});
  ASSERT_TRUE(process);
  EXPECT_EQ(read_until(*process, "up\n"), "up\n");
  process->signal(SIGTERM);
  const auto report = process->wait();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->exit_code, 7) << report->output;
}

// Wardens that this process started.
std::vector<pid_t> own_wardens() {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string status = read_text(entry.path() / "status");
    if (!has(status, "PPid:\t" + std::to_string(::getpid()) + "\n")) continue;
    if (has(status, "Name:\tlevin-warden\n")) {
      found.push_back(std::atoi(entry.path().filename().c_str()));
    }
  }
  return found;
}

TEST_F(CellTest, L65AKilledWardenTakesItsCommandsAlong) {
  const std::string marker = "3600.9" + std::to_string(::getpid());
  const Sandbox sandbox = open();
  auto process = sandbox.start({.argv = {"bash", "-c", "echo up; sleep " + marker + "; echo on"}});
  ASSERT_TRUE(process);
  EXPECT_EQ(read_until(*process, "up\n"), "up\n");
  const auto wardens = own_wardens();
  ASSERT_EQ(wardens.size(), 1U);
  ::kill(wardens[0], SIGKILL);
  const auto report = process->wait();
  ASSERT_FALSE(report);
  EXPECT_TRUE(has(report.error().message(), "warden")) << report.error().message();
  EXPECT_FALSE(is_running("sleep" + std::string(1, '\0') + marker));
  // And nothing is run without it.
  EXPECT_FALSE(sandbox.run({.argv = {"true"}}));
}

TEST_F(CellTest, TheWardenHasNothingToTell) {
  ::setenv("LEVIN_TEST_TOKEN", "environment-secret", 1);
  const Sandbox sandbox = open();
  ::unsetenv("LEVIN_TEST_TOKEN");
  const auto wardens = own_wardens();
  ASSERT_EQ(wardens.size(), 1U);
  EXPECT_EQ(read_text("/proc/" + std::to_string(wardens[0]) + "/environ"), "");
}

TEST_F(CellTest, ABrowserIsDrivenOverTwoPipes) {
  const char* const kBrowser = "/usr/bin/chromium";
  if (!fs::exists(kBrowser)) GTEST_SKIP() << "needs " << kBrowser;
  Policy how = policy(Profile::kBrowser);
  how.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/tmp"}, {"TMPDIR", "/tmp"}};
  const Sandbox sandbox = open(how);
  int commands[2];
  int answers[2];
  ASSERT_EQ(::pipe2(commands, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(answers, O_CLOEXEC), 0);
  const UniqueFd theirs[] = {UniqueFd(commands[0]), UniqueFd(answers[1])};
  const UniqueFd to(commands[1]);
  const UniqueFd from(answers[0]);
  auto process = sandbox.start(
      {.argv = {kBrowser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--user-data-dir=/tmp/profile", "--remote-debugging-pipe", "about:blank"},
       .extra_fds = {theirs[0].get(), theirs[1].get()}});
  ASSERT_TRUE(process) << process.error().message();
  const std::string ask = std::string("{\"id\":1,\"method\":\"Browser.getVersion\"}") + '\0';
  ASSERT_EQ(::write(to.get(), ask.data(), ask.size()), static_cast<ssize_t>(ask.size()));
  std::string answer;
  while (answer.find('\0') == std::string::npos) {
    pollfd watched{from.get(), POLLIN, 0};
    ASSERT_GT(::poll(&watched, 1, 60'000), 0) << "the browser does not answer";
    char bytes[4096];
    const ssize_t count = ::read(from.get(), bytes, sizeof(bytes));
    ASSERT_GT(count, 0);
    answer.append(bytes, static_cast<size_t>(count));
  }
  EXPECT_TRUE(has(answer, "Chrome/")) << answer;
  const auto view = sandbox.run({.argv = {"ls", "-A", workspace_.string()}});
  ASSERT_TRUE(view);
  EXPECT_NE(view->exit_code, 0) << view->output;
}

}  // namespace
}  // namespace levin::sandbox
