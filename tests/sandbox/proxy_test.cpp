// The proxy on loopback: each refusal beside the same request where it is allowed. Names and what
// counts as public are the tests' own; nothing leaves the machine.
#include "sandbox/proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "base/file_io.h"
#include "tests/sandbox/tls_hello.h"

namespace levin::sandbox {
namespace {

constexpr int kPollMs = 20'000;  // A bound, not a wait: every test goes on as soon as it can.

struct Listener {
  UniqueFd fd;
  uint16_t port = 0;
};

Listener listen_on(const char* address) {
  Listener listener;
  listener.fd = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in place{};
  place.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &place.sin_addr);
  socklen_t size = sizeof place;
  EXPECT_EQ(::bind(listener.fd.get(), reinterpret_cast<sockaddr*>(&place), size), 0);
  EXPECT_EQ(::listen(listener.fd.get(), 64), 0);
  ::getsockname(listener.fd.get(), reinterpret_cast<sockaddr*>(&place), &size);
  listener.port = ntohs(place.sin_port);
  return listener;
}

UniqueFd connect_to(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&place), sizeof place), 0);
  return fd;
}

// Reads until `bytes` hold `end`, or to the end of the stream when `end` is empty.
std::string read_until(int fd, const std::string& end) {
  std::string bytes;
  pollfd wait{fd, POLLIN, 0};
  while (end.empty() || bytes.find(end) == std::string::npos) {
    if (::poll(&wait, 1, kPollMs) <= 0) {
      ADD_FAILURE() << "nothing more comes after: " << bytes;
      break;
    }
    char buffer[4096];
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count <= 0) break;
    bytes.append(buffer, static_cast<size_t>(count));
  }
  return bytes;
}

// Answers each connection with what it got, up to the end of a request's head or of a hello.
class EchoServer {
 public:
  EchoServer() : listener_(listen_on("127.0.0.1")), thread_([this] { serve(); }) {}
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  ~EchoServer() {
    ::shutdown(listener_.fd.get(), SHUT_RDWR);
    thread_.join();
  }
  uint16_t port() const { return listener_.port; }
  int num_connections() const { return num_connections_; }

 private:
  void serve() {
    for (;;) {
      const UniqueFd client(::accept(listener_.fd.get(), nullptr, nullptr));
      if (!client) return;
      ++num_connections_;
      pollfd wait{client.get(), POLLIN, 0};
      std::string got;
      while (got.find("END") == std::string::npos && ::poll(&wait, 1, kPollMs) > 0) {
        char buffer[4096];
        const ssize_t count = ::read(client.get(), buffer, sizeof buffer);
        if (count <= 0) break;
        got.append(buffer, static_cast<size_t>(count));
      }
      static_cast<void>(write_all(client.get(), "echo:" + got, "test"));
    }
  }

  Listener listener_;
  std::atomic<int> num_connections_ = 0;
  std::thread thread_;
};

class ProxyTest : public testing::Test {
 protected:
  void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }

  // "good.test" leads to the echo server and counts as public; "inside.test" leads to
  // `inside_address`, which does not.
  void start(const std::vector<std::string>& rules) {
    ProxyOptions options = options_;
    for (const std::string& rule : rules) {
      const auto parsed = parse_net_rule(rule);
      ASSERT_TRUE(parsed) << parsed.error().message();
      options.rules.push_back(*parsed);
    }
    options.on_event = [this](const ProxyEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      changed_.notify_all();
    };
    options.resolve = [this](const std::string& host, uint16_t port) {
      std::vector<std::string> names;
      if (host == "good.test" || host == "localhost" || host == "127.0.0.1") {
        names = {"127.0.0.1"};
      } else if (host == "inside.test") {
        names = inside_addresses_;
      }
      return addresses(names, port);
    };
    if (is_good_public_) {
      options.is_public = [](const ProxyAddress& address) {
        sockaddr_in four{};
        std::memcpy(&four, &address.address, sizeof four);
        return address.address.ss_family == AF_INET &&
               four.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
      };
    }
    Listener listener = listen_on("127.0.0.1");
    port_ = listener.port;
    Result<Proxy> proxy = Proxy::start(std::move(listener.fd), std::move(options));
    ASSERT_TRUE(proxy) << proxy.error().message();
    proxy_.emplace(*std::move(proxy));
  }

  static std::vector<ProxyAddress> addresses(const std::vector<std::string>& texts, uint16_t port) {
    std::vector<ProxyAddress> result;
    for (const std::string& text : texts) {
      ProxyAddress address;
      sockaddr_in four{};
      sockaddr_in6 six{};
      if (::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        std::memcpy(&address.address, &four, address.size = sizeof four);
      } else {
        EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr), 1) << text;
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        std::memcpy(&address.address, &six, address.size = sizeof six);
      }
      result.push_back(address);
    }
    return result;
  }

  std::string at_port(const std::string& host) const {
    return host + ":" + std::to_string(server_.port());
  }

  // One request, all of the answer.
  std::string ask(const std::string& bytes) {
    const UniqueFd client = connect_to(port_);
    EXPECT_TRUE(write_all(client.get(), bytes, "test"));
    ::shutdown(client.get(), SHUT_WR);
    return read_until(client.get(), "");
  }
  std::string get(const std::string& url) {
    return ask("GET " + url + " HTTP/1.1\r\nX: END\r\n\r\n");
  }
  // A tunnel, then `bytes` in it; what comes back in it.
  std::string tunnel(const std::string& host, const std::string& bytes) {
    const UniqueFd client = connect_to(port_);
    EXPECT_TRUE(write_all(client.get(), "CONNECT " + host + " HTTP/1.1\r\n\r\n", "test"));
    const std::string head = read_until(client.get(), "\r\n\r\n");
    if (!head.starts_with("HTTP/1.1 200 ")) return head;
    EXPECT_TRUE(write_all(client.get(), bytes, "test"));
    return read_until(client.get(), "");
  }

  // Waits for as many events.
  std::vector<ProxyEvent> events(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::milliseconds(kPollMs),
                                  [&] { return events_.size() >= count; }));
    return events_;
  }

  EchoServer server_;
  ProxyOptions options_;
  bool is_good_public_ = true;
  std::vector<std::string> inside_addresses_ = {"10.0.0.1"};
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ProxyEvent> events_;
  std::optional<Proxy> proxy_;  // Last: its end tells events.
};

TEST_F(ProxyTest, PlainHttpGoesToTheAllowedHostAlone) {
  start({at_port("good.test")});
  const std::string answer = get("http://" + at_port("good.test") + "/path?q");
  EXPECT_EQ(answer, "echo:GET /path?q HTTP/1.1\r\nHost: " + at_port("good.test") +
                        "\r\nConnection: close\r\nX: END\r\n\r\n");
  const std::vector<std::string> urls = {
      "http://" + at_port("other.test") + "/", "http://good.test:1/",
      "http://" + at_port("127.0.0.1") + "/", "http://" + at_port("[::1]") + "/"};
  for (const std::string& url : urls) {
    const std::string refused = get(url);
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 403 Forbidden\r\n")) << url << "\n" << refused;
    EXPECT_NE(refused.find("no rule allows"), std::string::npos) << refused;
  }
  EXPECT_EQ(server_.num_connections(), 1);
  const auto told = events(5);
  ASSERT_EQ(told.size(), 5u);
  EXPECT_TRUE(told[0].allowed);
  EXPECT_EQ(told[0].protocol, "http");
  EXPECT_EQ(told[0].host, "good.test");
  EXPECT_EQ(told[0].address, "127.0.0.1");
  EXPECT_GT(told[0].bytes_sent, 0);
  EXPECT_EQ(told[0].bytes_received, static_cast<int64_t>(answer.size()));
  EXPECT_FALSE(told[1].allowed);
  EXPECT_EQ(told[1].host, "other.test");
  EXPECT_EQ(told[1].reason, "no rule allows this host and port");
  EXPECT_EQ(told[1].address, "");
}

TEST_F(ProxyTest, ASecondRequestInOneConnectionIsNotSentOn) {
  start({at_port("good.test")});
  const std::string url = "http://" + at_port("good.test") + "/";
  const std::string answer = ask("POST " + url + " HTTP/1.1\r\nContent-Length: 5\r\n\r\nboENDGET " +
                                 url + " HTTP/1.1\r\nHost: smuggled\r\n\r\nEND");
  EXPECT_NE(answer.find("boEND"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("smuggled"), std::string::npos) << answer;
}

TEST_F(ProxyTest, ATunnelIsForTlsOfThatName) {
  start({at_port("good.test")});
  const std::string hello = tls_hello("good.test");
  EXPECT_EQ(tunnel(at_port("good.test"), hello + "END"), "echo:" + hello + "END");
  EXPECT_EQ(tunnel(at_port("good.test"), tls_hello("GOOD.test.") + "END").substr(0, 5), "echo:");
  const int before = server_.num_connections();
  EXPECT_EQ(tunnel(at_port("good.test"), tls_hello("other.test") + "END"), "");
  EXPECT_EQ(tunnel(at_port("good.test"), tls_hello("") + "END"), "");
  EXPECT_EQ(tunnel(at_port("good.test"), "GET / HTTP/1.1\r\n\r\nEND"), "");
  EXPECT_TRUE(tunnel(at_port("other.test"), hello).starts_with("HTTP/1.1 403 "));
  const auto told = events(6);
  ASSERT_EQ(told.size(), 6u);
  EXPECT_TRUE(told[0].allowed);
  EXPECT_EQ(told[0].protocol, "connect");
  EXPECT_EQ(told[2].reason, "TLS asks for another name (other.test)");
  EXPECT_FALSE(told[2].allowed);
  EXPECT_EQ(told[2].bytes_sent, 0);
  EXPECT_EQ(told[3].reason, "TLS asks for another name ()");
  EXPECT_EQ(told[4].reason, "not TLS");
  EXPECT_EQ(told[5].reason, "no rule allows this host and port");
  EXPECT_LE(server_.num_connections(), before + 3);  // Opened, but not a byte was sent.
}

TEST_F(ProxyTest, NamesThatLeadInsideAreRefused) {
  is_good_public_ = false;
  start({at_port("inside.test"), at_port("good.test")});
  for (const char* address :
       {"127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "10.1.2.3", "100.64.0.1", "192.168.1.1",
        "::1", "fe80::1", "fd00::1", "0.0.0.0"}) {
    inside_addresses_ = {address};
    const std::string answer = tunnel(at_port("inside.test"), "");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 ")) << address << "\n" << answer;
    EXPECT_NE(answer.find("not public"), std::string::npos) << address << "\n" << answer;
  }
  // One bad address among good ones is enough.
  inside_addresses_ = {"8.8.8.8", "127.0.0.1"};
  EXPECT_TRUE(tunnel(at_port("inside.test"), "").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(get("http://" + at_port("good.test") + "/").starts_with("HTTP/1.1 403 "));
  inside_addresses_ = {};
  EXPECT_TRUE(tunnel(at_port("inside.test"), "").starts_with("HTTP/1.1 502 "));
  EXPECT_EQ(server_.num_connections(), 0);
}

TEST_F(ProxyTest, ALoopbackHostThatARuleNamesMaySpeakAnything) {
  is_good_public_ = false;
  start({at_port("127.0.0.1"), at_port("localhost")});
  EXPECT_EQ(tunnel(at_port("127.0.0.1"), "plainEND"), "echo:plainEND");
  EXPECT_EQ(tunnel(at_port("LOCALHOST"), "plainEND"), "echo:plainEND");
  EXPECT_TRUE(tunnel(at_port("127.0.0.2"), "").starts_with("HTTP/1.1 403 "));
}

TEST_F(ProxyTest, SocksTakesNames) {
  start({at_port("good.test"), at_port("127.0.0.1")});
  const std::string greeting("\x05\x01\x00", 3);
  const auto request = [&](const std::string& address) {
    return std::string("\x05\x01\x00", 3) + address + big_endian(server_.port(), 2);
  };
  const std::string hello = tls_hello("good.test") + "END";
  const std::string granted("\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  EXPECT_EQ(ask(greeting + request("\x03" + counted("good.test", 1)) + hello),
            granted + "echo:" + hello);
  EXPECT_EQ(ask(greeting + request(std::string("\x01\x7f\x00\x00\x01", 5)) + "xEND"),
            granted + "echo:xEND");
  const auto refused = [](char code) {
    return std::string("\x05\x00\x05", 3) + code +
           std::string("\x00\x01\x00\x00\x00\x00\x00\x00", 8);
  };
  EXPECT_EQ(ask(greeting + request("\x03" + counted("bad.test", 1))), refused(2));
  EXPECT_EQ(ask(greeting + request(std::string("\x01\x0a\x00\x00\x01", 5))), refused(2));
  EXPECT_EQ(ask(greeting + "\x05\x02" + request("").substr(2) + "\x01"), refused(8));
  EXPECT_EQ(ask(std::string("\x05\x01\x02", 3)), "\x05\xFF");
  EXPECT_EQ(events(6).size(), 6u);
}

TEST_F(ProxyTest, WrongRequestsAreAnsweredAndTold) {
  start({at_port("good.test")});
  EXPECT_TRUE(ask("NONSENSE\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(get("ftp://good.test/").starts_with("HTTP/1.1 501 "));
  EXPECT_TRUE(ask("GET http://good.test/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
                  .starts_with("HTTP/1.1 501 "));
  EXPECT_TRUE(ask("GET http://good.test/ HTTP/1.1\r\nX: " + std::string(70'000, 'x'))
                  .starts_with("HTTP/1.1 431 "));
  EXPECT_EQ(ask(""), "");
  for (const ProxyEvent& event : events(4)) {
    EXPECT_FALSE(event.allowed);
    EXPECT_FALSE(event.reason.empty());
  }
}

TEST_F(ProxyTest, BytesAndConnectionsAreCapped) {
  options_.bytes_max = 1000;
  options_.connections_max = 2;
  start({at_port("127.0.0.1")});
  EXPECT_EQ(tunnel(at_port("127.0.0.1"), std::string(400, 'x') + "END").size(), 5u + 403u);
  // 806 bytes are used up; not even the next question fits.
  EXPECT_EQ(tunnel(at_port("127.0.0.1"), std::string(400, 'x') + "END"), "");
  EXPECT_EQ(events(2)[1].reason, "the limit of bytes is used up");
  const UniqueFd first = connect_to(port_);
  const UniqueFd second = connect_to(port_);
  const UniqueFd third = connect_to(port_);
  EXPECT_EQ(read_until(third.get(), ""), "");
  EXPECT_EQ(events(3)[2].reason, "too many connections at once");
}

TEST_F(ProxyTest, ASlowClientAndASilentOneAreEnded) {
  options_.opening_ms = 50;
  options_.idle_ms = 50;
  start({at_port("127.0.0.1")});
  const UniqueFd slow = connect_to(port_);
  ASSERT_TRUE(write_all(slow.get(), "GET ", "test"));
  EXPECT_EQ(read_until(slow.get(), ""), "");
  EXPECT_EQ(events(1)[0].reason, "too slow to open");
  EXPECT_EQ(tunnel(at_port("127.0.0.1"), "no end"), "");
  EXPECT_EQ(events(2)[1].reason, "no traffic for too long");
}

TEST_F(ProxyTest, ItsEndEndsConnectionsAndTellsThem) {
  start({at_port("127.0.0.1")});
  const UniqueFd client = connect_to(port_);
  ASSERT_TRUE(
      write_all(client.get(), "CONNECT " + at_port("127.0.0.1") + " HTTP/1.1\r\n\r\n", "test"));
  read_until(client.get(), "\r\n\r\n");
  proxy_.reset();
  EXPECT_EQ(read_until(client.get(), ""), "");
  const auto told = events(1);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].host, "127.0.0.1");
}

}  // namespace
}  // namespace levin::sandbox
