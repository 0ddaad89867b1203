// --allow-net and background jobs through the real program, with a server on this machine's
// loopback.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <sstream>
#include <thread>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

// Answers every request with "served".
class TinyServer {
 public:
  TinyServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&place), size), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&place), &size);
    place_ = "127.0.0.1:" + std::to_string(ntohs(place.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  TinyServer(const TinyServer&) = delete;
  TinyServer& operator=(const TinyServer&) = delete;
  ~TinyServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  const std::string& place() const { return place_; }
  int num_requests() const { return num_requests_; }

 private:
  void serve() {
    for (;;) {
      const int client = ::accept(fd_, nullptr, nullptr);
      if (client < 0) return;
      ++num_requests_;
      char buffer[4096];
      [[maybe_unused]] const ssize_t got = ::read(client, buffer, sizeof buffer);
      const std::string answer =
          "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nserved\n";
      ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(client);
    }
  }

  int fd_;
  std::string place_;
  std::atomic<int> num_requests_ = 0;
  std::thread thread_;
};

class AllowNetTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    if (!test::has_program("python3")) GTEST_SKIP() << "python3 is not installed";
    make_repository({{"a.txt", "one\n"}});
  }
  // A shell line that fetches it through whatever proxy the environment names.
  static std::string fetch(const std::string& place) {
    return "NO_PROXY= no_proxy= python3 -c \"import urllib.request as u; "
           "print(u.urlopen('http://" +
           place + "/', timeout=30).read().decode())\" 2>&1 | tail -2";
  }
  std::vector<Json> audit() const {
    std::vector<Json> lines;
    std::istringstream text(read_text(home_ / "state/audit.jsonl"));
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }
};

TEST_F(AllowNetTest, TheNamedHostIsReachedAndEveryRequestIsLogged) {
  const TinyServer server;
  const TinyServer other;
  const Told told =
      run_script({block({bash(fetch(server.place())), bash(fetch(other.place()))}), "Done."},
                 {"--allow-net", server.place()});
  ASSERT_EQ(told.results().size(), 2u) << told.program.err;
  EXPECT_TRUE(has(told.results()[0], "served")) << told.results()[0];
  EXPECT_TRUE(has(told.results()[1], "403")) << told.results()[1];
  EXPECT_EQ(server.num_requests(), 1);
  EXPECT_EQ(other.num_requests(), 0);
  std::vector<Json> network;
  std::vector<Json> commands;
  for (const Json& line : audit()) (line["type"] == "network" ? network : commands).push_back(line);
  ASSERT_EQ(network.size(), 2u);
  ASSERT_EQ(commands.size(), 2u);
  bool is_refusal_logged = false;
  for (const Json& line : network) is_refusal_logged |= line["allowed"] == false;
  EXPECT_TRUE(is_refusal_logged);
  EXPECT_EQ(commands[0]["allow_net"], Json({server.place()}));
}

TEST_F(AllowNetTest, WithoutTheOptionThereIsNoWay) {
  const TinyServer server;
  const Told told = run_script({block({bash(fetch(server.place()))}), "Done."});
  ASSERT_EQ(told.results().size(), 1u);
  EXPECT_FALSE(has(told.results()[0], "served")) << told.results()[0];
  EXPECT_TRUE(has(told.results()[0], "refused")) << told.results()[0];
  EXPECT_EQ(server.num_requests(), 0);
}

TEST_F(AllowNetTest, LevinSandboxHasItToo) {
  const TinyServer server;
  const auto reached =
      levin({"sandbox", "--allow-net", server.place(), "--", "bash", "-c", fetch(server.place())});
  EXPECT_TRUE(has(reached.out, "served")) << reached.out << reached.err;
  const auto refused = levin({"sandbox", "--", "bash", "-c", fetch(server.place())});
  EXPECT_TRUE(has(refused.out, "refused")) << refused.out << refused.err;
}

TEST_F(AllowNetTest, WrongHostsAreToldBeforeAnythingRuns) {
  for (const char* value : {"host", "10.0.0.1:80", "host:0", "127.1:80"}) {
    const auto run = levin({"run", "--model", script({"Done."}), "--allow-net", value, "task"});
    EXPECT_EQ(run.exit_code, 2) << value;
    EXPECT_TRUE(has(run.err, "--allow-net: \"" + std::string(value) + "\": ")) << run.err;
  }
  const auto off = levin({"run", "--model", script({"Done."}), "--sandbox", "off", "--allow-net",
                          "127.0.0.1:80", "task"});
  EXPECT_EQ(off.exit_code, 2);
  EXPECT_TRUE(has(off.err, "means nothing without isolation")) << off.err;
}

// The ports are those of the session's own network: nobody else can hold them.
TEST_F(AllowNetTest, AServerInTheBackgroundServesLaterCommandsAndDiesWithTheSession) {
  const Told told = run_script(
      {block({call("bash", {{"command",
                             "exec python3 -um http.server 8123 --bind 127.0.0.1 --directory $PWD"},
                            {"background", true}}),
              call("job", {{"id", "1"}, {"wait_s", 60}}), bash(fetch("127.0.0.1:8123/a.txt#"))}),
       block({call("job", {{"id", "1"}, {"wait_s", 60}})}), "Done."});
  ASSERT_EQ(told.results().size(), 4u) << told.program.err;
  EXPECT_TRUE(has(told.results()[0], "job 1 started")) << told.results()[0];
  EXPECT_TRUE(has(told.results()[1], "Serving HTTP")) << told.results()[1];
  EXPECT_TRUE(has(told.results()[2], "one")) << told.results()[2];
  EXPECT_TRUE(has(told.results()[3], "GET /a.txt")) << told.results()[3];
  EXPECT_EQ(told.program.exit_code, 0);
  for (const auto& entry : fs::directory_iterator("/proc")) {
    EXPECT_FALSE(has(read_text(entry.path() / "cmdline"), root_.string())) << entry.path();
  }
  const auto lines = audit();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["job"], "1");
}

}  // namespace
}  // namespace levin::cli
