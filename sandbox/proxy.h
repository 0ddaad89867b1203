// The one way out of a cell: a proxy that runs outside of it, on a socket that listens inside
// (Sandbox::listen()). HTTP, CONNECT and SOCKS5 with names; a request goes on only when a rule
// names its host and port, its name leads to public addresses, and, in a tunnel, the TLS client
// asks for that very name. Everything is told to a callback.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/net_rules.h"

namespace levin::sandbox {

// One request, when it was refused or when its connection has ended.
struct ProxyEvent {
  std::string protocol;  // "http", "connect", "socks5"; "" when it was none of them.
  std::string host;      // As it was asked for.
  uint16_t port = 0;
  bool allowed = false;
  std::string reason;   // Why not, or why it was ended early; empty otherwise.
  std::string address;  // Connected to; empty when it never was.
  int64_t bytes_sent = 0;
  int64_t bytes_received = 0;
  int64_t wall_ms = 0;
};

// An address that a name leads to.
struct ProxyAddress {
  sockaddr_storage address{};
  socklen_t size = 0;
};

struct ProxyOptions {
  std::vector<NetRule> rules;
  int connections_max = 64;              // At once; further ones are closed.
  int64_t bytes_max = int64_t{2} << 30;  // Of all connections together, both ways.
  int64_t idle_ms = 300'000;             // Without a byte a connection ends.
  int64_t opening_ms = 30'000;           // For the request, the name and the connection.
  // Called from the proxy's thread, one at a time.
  std::function<void(const ProxyEvent&)> on_event;
  // Tests put their own in place of the system's: addresses of a name (called from a thread of its
  // own), and which of them may be connected to.
  std::function<std::vector<ProxyAddress>(const std::string& host, uint16_t port)> resolve;
  std::function<bool(const ProxyAddress&)> is_public;
};

// The port inside where `levin` lets the proxy listen.
inline constexpr uint16_t kProxyPort = 3128;

// What programs inside need to find it, to be added to Policy::environment.
std::vector<std::pair<std::string, std::string>> proxy_environment(uint16_t port);

// Serves from a thread of its own until it is destroyed. Move-only.
class Proxy {
 public:
  // `listener` listens already. Errors: kIo.
  static Result<Proxy> start(UniqueFd listener, ProxyOptions options);
  Proxy(Proxy&&) noexcept;
  Proxy& operator=(Proxy&&) noexcept;
  // Ends all connections and tells their events.
  ~Proxy();

 private:
  struct State;
  explicit Proxy(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace levin::sandbox
