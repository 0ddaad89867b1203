// Hosts, addresses and the first bytes of TLS: what counts as what. No sockets.
#include "sandbox/net_rules.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "sandbox/client_hello.h"
#include "sandbox/proxy_request.h"
#include "tests/sandbox/tls_hello.h"

namespace levin::sandbox {
namespace {

TEST(NetRules, HostAndPort) {
  const auto rule = parse_net_rule("Registry.NPMjs.org.:443");
  ASSERT_TRUE(rule) << rule.error().message();
  EXPECT_EQ(*rule, (NetRule{"registry.npmjs.org", 443, false}));
  EXPECT_TRUE(parse_net_rule("localhost:1")->is_loopback);
  EXPECT_TRUE(parse_net_rule("127.0.0.1:8080")->is_loopback);
  EXPECT_EQ(*parse_net_rule("[0:0::1]:8080"), (NetRule{"::1", 8080, true}));
  EXPECT_TRUE(parse_net_rule("8.8.8.8:53"));
  for (const char* text : {"",
                           "host",
                           ":80",
                           "host:",
                           "host:0",
                           "host:65536",
                           "host:80x",
                           "::1:80",
                           "a b:80",
                           "a/b:80",
                           "user@host:80",
                           "*.org:80",
                           ".org:80",
                           "a..b:80",
                           "10.0.0.1:80",
                           "192.168.1.1:80",
                           "169.254.169.254:80",
                           "100.64.0.1:80",
                           "0.0.0.0:80",
                           "[::]:80",
                           "[fe80::1]:80",
                           "[fd00::1]:80",
                           "[::ffff:127.0.0.1]:80",
                           "127.1:80",
                           "2130706433:80",
                           "0x7f.1:80",
                           "[localhost]:80"}) {
    EXPECT_FALSE(parse_net_rule(text)) << text;
  }
}

TEST(NetRules, OnlyTheNamedHostAndPortAreFound) {
  const std::vector<NetRule> rules = {*parse_net_rule("good.test:443"),
                                      *parse_net_rule("[::1]:80")};
  EXPECT_NE(find_net_rule(rules, "GOOD.test.", 443), nullptr);
  EXPECT_NE(find_net_rule(rules, "[0::1]", 80), nullptr);
  EXPECT_NE(find_net_rule(rules, "::1", 80), nullptr);
  for (const char* host : {"", "bad.test", "agood.test", "good.test.evil", "good.test..",
                           "sub.good.test", "good.test\0.evil", "good.test ", "good test"}) {
    EXPECT_EQ(find_net_rule(rules, host, 443), host == std::string_view("good.test\0.evil")
                                                   ? &rules[0]  // The literal ends at its NUL.
                                                   : nullptr)
        << host;
  }
  EXPECT_EQ(find_net_rule(rules, std::string_view("good.test\0.evil", 15), 443), nullptr);
  EXPECT_EQ(find_net_rule(rules, "good.test", 80), nullptr);
}

bool is_public(const char* text) {
  in_addr four{};
  if (::inet_pton(AF_INET, text, &four) == 1) return is_public_address(four);
  in6_addr six{};
  EXPECT_EQ(::inet_pton(AF_INET6, text, &six), 1) << text;
  return is_public_address(six);
}

TEST(NetRules, SpecialAddressesAreNotPublic) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "10.255.255.255",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.0.1",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.168.0.1",
                           "198.18.0.1",
                           "198.19.255.1",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.1.1.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:10.0.0.1",
                           "::ffff:8.8.8.8",
                           "::8.8.8.8",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b:1::1",
                           "fe80::1",
                           "fec0::1",
                           "fc00::1",
                           "fd12::1",
                           "ff02::1",
                           "100::1",
                           "2001::1",
                           "2001:db8::1",
                           "2002:a00:1::1",
                           "3fff::1",
                           "4000::1"}) {
    EXPECT_FALSE(is_public(text)) << text;
  }
  for (const char* text : {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255",
                           "100.128.0.1", "126.1.1.1", "128.0.0.1", "172.15.0.1", "172.32.0.1",
                           "192.167.1.1", "198.17.1.1", "198.20.0.1", "223.255.255.255",
                           "64:ff9b::8.8.8.8", "2001:4860::8888", "2606:4700::1111"}) {
    EXPECT_TRUE(is_public(text)) << text;
  }
}

TEST(ClientHelloTest, TheNameIsFoundHoweverItIsSplit) {
  const std::string bytes = tls_hello("good.test");
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(read_client_hello(bytes.substr(0, size)).state, ClientHello::State::kNeedMore)
        << size;
  }
  EXPECT_EQ(read_client_hello(bytes).state, ClientHello::State::kComplete);
  EXPECT_EQ(read_client_hello(bytes).server_name, "good.test");
  EXPECT_EQ(read_client_hello(bytes + "more").server_name, "good.test");
  EXPECT_EQ(read_client_hello(tls_hello("")).server_name, "");
  EXPECT_EQ(read_client_hello(tls_hello("")).state, ClientHello::State::kComplete);
  // The same message in records of one byte each.
  std::string records;
  for (const char byte : bytes.substr(5)) records += std::string("\x16\x03\x01\x00\x01", 5) + byte;
  EXPECT_EQ(read_client_hello(records).server_name, "good.test");
}

TEST(ClientHelloTest, AnythingElseIsNotTls) {
  const auto state = [](const std::string& bytes) { return read_client_hello(bytes).state; };
  EXPECT_EQ(state("GET / HTTP/1.1\r\n"), ClientHello::State::kNotTls);
  EXPECT_EQ(state("SSH-2.0-x"), ClientHello::State::kNotTls);
  EXPECT_EQ(state(std::string("\x16\x03\x01\x00\x00", 5)), ClientHello::State::kNotTls);
  EXPECT_EQ(state(std::string("\x16\x03\x01\x00\x01\x02", 6)), ClientHello::State::kNotTls);
  EXPECT_EQ(state(std::string("\x16\x02\x01", 3)), ClientHello::State::kNotTls);
  EXPECT_EQ(state(tls_hello("a.test", {"b.test"})), ClientHello::State::kNotTls);
  // Each byte changed to each of a few others: never a crash, and never another name that is whole.
  const std::string bytes = tls_hello("good.test");
  for (size_t index = 0; index < bytes.size(); ++index) {
    for (const char byte : {'\0', '\1', '\x7f', '\xff'}) {
      std::string broken = bytes;
      broken[index] = byte;
      static_cast<void>(read_client_hello(broken));
    }
  }
}

TEST(ProxyRequestTest, HeadsAreReadAndRewritten) {
  const auto get = parse_http_request(
      "GET http://Host.test:8080/a?b HTTP/1.1\r\nHost: other\r\nProxy-Connection: keep-alive\r\n"
      "Connection: upgrade\r\nUpgrade: h2c\r\nX: y\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(get) << get.error().message();
  EXPECT_EQ(get->host, "Host.test");
  EXPECT_EQ(get->port, 8080);
  EXPECT_EQ(get->body_bytes, 3u);
  EXPECT_EQ(get->head,
            "GET /a?b HTTP/1.1\r\nHost: Host.test:8080\r\nConnection: close\r\nX: y\r\n"
            "Content-Length: 3\r\n\r\n");
  const auto plain = parse_http_request("GET http://a?b HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->port, 80);
  EXPECT_TRUE(plain->head.starts_with("GET /?b HTTP/1.1\r\nHost: a\r\n")) << plain->head;
  const auto tunnel = parse_http_request("CONNECT [::1]:443 HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(tunnel);
  EXPECT_TRUE(tunnel->is_connect);
  EXPECT_EQ(tunnel->host, "[::1]");
  for (const std::string head :
       {"GET / HTTP/1.1\r\n\r\n", "GET https://a/ HTTP/1.1\r\n\r\n", "CONNECT a HTTP/1.1\r\n\r\n",
        "CONNECT a:0 HTTP/1.1\r\n\r\n", "CONNECT u@a:1 HTTP/1.1\r\n\r\n",
        "GET http://a:b@c/ HTTP/1.1\r\n\r\n", "GET http://a/\x01 HTTP/1.1\r\n\r\n",
        "GET http://a/ HTTP/2\r\n\r\n", "GET http://a/ HTTP/1.1\r\nX y\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nX: y\nZ: z\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n", "GET\r\n\r\n",
        "G T http://a/ HTTP/1.1\r\n\r\n", "GET http:// HTTP/1.1\r\n\r\n"}) {
    EXPECT_FALSE(parse_http_request(head)) << head;
  }
}

}  // namespace
}  // namespace levin::sandbox
