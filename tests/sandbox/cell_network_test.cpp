// The network of a cell: what its commands share, what another cell sees of it, and the one way out
// through a proxy. Servers and clients are Python's; everything is on loopback.
#include <poll.h>

#include <mutex>
#include <optional>

#include "sandbox/proxy.h"
#include "tests/sandbox/as_user.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace levin::sandbox {
namespace {

constexpr int kPollMs = 20'000;  // A bound, not a wait.

class CellNetworkTest : public IsolationTest {
 protected:
  void SetUp() override {
    IsolationTest::SetUp();
    if (IsSkipped()) return;
    if (shell("command -v python3").exit_code != 0) GTEST_SKIP() << "python3 is not installed";
  }

  // A server of the workspace's files that has told its port.
  struct Server {
    std::optional<Process> process;
    std::string port;
  };
  Server start_server(const Sandbox& sandbox) {
    Command command;
    command.argv = {"python3", "-uc",
                    "import functools, http.server as h\n"
                    "class H(h.SimpleHTTPRequestHandler):\n"
                    "  def log_message(self, *a): pass\n"
                    "s = h.ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
                    "print(s.server_address[1], flush=True)\ns.serve_forever()\n"};
    Result<Process> process = sandbox.start(command);
    Server server;
    if (!process) {
      ADD_FAILURE() << process.error().message();
      return server;
    }
    pollfd wait{process->output_fd(), POLLIN, 0};
    while (server.port.find('\n') == std::string::npos && ::poll(&wait, 1, kPollMs) > 0) {
      char buffer[64];
      const ssize_t count = ::read(process->output_fd(), buffer, sizeof buffer);
      if (count <= 0) break;
      server.port.append(buffer, static_cast<size_t>(count));
    }
    EXPECT_TRUE(server.port.ends_with('\n')) << "the server did not start: " << server.port;
    if (!server.port.empty()) server.port.pop_back();
    server.process.emplace(*std::move(process));
    return server;
  }

  // Fetches a URL with what the environment says about proxies, and tells the answer.
  std::string fetch(const Sandbox& sandbox, const std::string& url,
                    const std::string& before = "") {
    write_text(workspace_ / "fetch.py",
               "import sys, urllib.request, urllib.error\n"
               "try:\n  print(urllib.request.urlopen(sys.argv[1], timeout=30).read().decode())\n"
               "except urllib.error.HTTPError as e:\n  print('status', e.code, e.read().decode())\n"
               "except OSError as e:\n  print('error', e)\n");
    const auto report =
        sandbox.run({{"bash", "-c", "echo started; " + before + " python3 fetch.py " + url}});
    if (!report) {
      ADD_FAILURE() << report.error().message();
      return "";
    }
    EXPECT_TRUE(report->output.starts_with("started\n")) << report->output;
    return report->output.substr(std::min<size_t>(8, report->output.size()));
  }

  // A cell whose commands may reach these hosts.
  void open_with_proxy(const std::vector<std::string>& hosts) {
    Policy how = policy(Profile::kWorkspace);
    for (auto& variable : proxy_environment(kProxyPort)) how.environment.push_back(variable);
    auto opened = Sandbox::open(how);
    ASSERT_TRUE(opened) << opened.error().message();
    sandbox_.emplace(*std::move(opened));
    ProxyOptions options;
    for (const std::string& host : hosts) options.rules.push_back(*parse_net_rule(host));
    options.on_event = [this](const ProxyEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
    };
    auto listener = sandbox_->listen(kProxyPort);
    ASSERT_TRUE(listener) << listener.error().message();
    auto proxy = Proxy::start(*std::move(listener), std::move(options));
    ASSERT_TRUE(proxy) << proxy.error().message();
    proxy_.emplace(*std::move(proxy));
  }
  Sandbox outside() const { return *Sandbox::open(policy(Profile::kOff)); }

  std::optional<Sandbox> sandbox_;
  std::mutex mutex_;
  std::vector<ProxyEvent> events_;
  std::optional<Proxy> proxy_;
};

// Where names would be sent to the proxy, the test's are to go there too.
constexpr const char* kNoExceptions = "NO_PROXY= no_proxy=";

TEST_F(CellNetworkTest, CommandsOfOneSessionReachEachOthersServers) {
  const auto cell = Sandbox::open(policy(Profile::kWorkspace));
  ASSERT_TRUE(cell) << cell.error().message();
  const Server server = start_server(*cell);
  EXPECT_EQ(fetch(*cell, "http://127.0.0.1:" + server.port + "/file"), "original\n");
  const auto other = Sandbox::open(policy(Profile::kWorkspace));
  ASSERT_TRUE(other) << other.error().message();
  const std::string refused = fetch(*other, "http://127.0.0.1:" + server.port + "/file");
  EXPECT_TRUE(has(refused, "Connection refused")) << refused;
}

TEST_F(CellNetworkTest, ServersOfTheMachineAreOutOfReachAndInReachByTheProxyAlone) {
  const Sandbox machine = outside();
  const Server server = start_server(machine);
  const std::string url = "http://127.0.0.1:" + server.port + "/file";
  EXPECT_EQ(fetch(machine, url), "original\n");
  open_with_proxy({"127.0.0.1:" + server.port});
  ASSERT_TRUE(proxy_);
  EXPECT_EQ(fetch(*sandbox_, url, kNoExceptions), "original\n");
  // Past the proxy there is no way.
  const std::string unset =
      "unset HTTP_PROXY http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy;";
  EXPECT_TRUE(has(fetch(*sandbox_, url, unset), "Connection refused"));
  EXPECT_TRUE(has(fetch(*sandbox_, url), "Connection refused"));
  const Server second = start_server(machine);
  for (const std::string& other :
       {"http://127.0.0.1:" + second.port + "/file", "http://localhost:" + server.port + "/file",
        "http://127.0.0.2:" + server.port + "/file", std::string("http://192.0.2.1/"),
        std::string("http://other.invalid/")}) {
    const std::string refused = fetch(*sandbox_, other, kNoExceptions);
    EXPECT_TRUE(refused.starts_with("status 403 levin: no rule allows"))
        << other << ": " << refused;
  }
  proxy_.reset();
  const std::lock_guard lock(mutex_);
  ASSERT_EQ(events_.size(), 6u);
  EXPECT_TRUE(events_[0].allowed);
  EXPECT_EQ(events_[5].host, "other.invalid");
}

TEST_F(CellNetworkTest, GitAndCurlFindTheProxy) {
  const Sandbox machine = outside();
  const auto made = machine.run(
      {{"bash", "-c",
        "set -e; git init -q src; cd src; git config user.name T; git config user.email t@e.org; "
        "echo "
        "cloned > f; git add f; git commit -qm one; git clone -q --bare . ../bare.git; cd "
        "../bare.git; git update-server-info"}});
  ASSERT_TRUE(made && made->exit_code == 0);
  const Server server = start_server(machine);
  open_with_proxy({"127.0.0.1:" + server.port});
  ASSERT_TRUE(proxy_);
  const std::string base = "http://127.0.0.1:" + server.port;
  const auto cloned = sandbox_->run(
      {{"bash", "-c",
        std::string("export ") + kNoExceptions + "; git clone -q " + base +
            "/bare.git /tmp/c && cat /tmp/c/f; ! git clone -q http://other.invalid/x.git /tmp/d "
            "2>&1"}});
  ASSERT_TRUE(cloned);
  EXPECT_TRUE(cloned->output.starts_with("cloned\n")) << cloned->output;
  EXPECT_TRUE(has(cloned->output, "403")) << cloned->output;
  EXPECT_EQ(cloned->exit_code, 0);
  if (shell("command -v curl").exit_code != 0) return;
  const auto curl = sandbox_->run(
      {{"bash", "-c",
        std::string("export ") + kNoExceptions + "; curl -s " + base +
            "/file; unset http_proxy; curl -s " + base + "/file; curl -s -x socks5h://127.0.0.1:" +
            std::to_string(kProxyPort) + " http://other.invalid/ || echo refused"}});
  ASSERT_TRUE(curl);
  EXPECT_EQ(curl->output, "originaloriginalrefused\n");
}

}  // namespace
}  // namespace levin::sandbox
