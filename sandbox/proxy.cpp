#include "sandbox/proxy.h"

#include <netdb.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>  // Boost 1.74's awaitable.hpp needs it and does not include it.

#include <boost/asio.hpp>

#include "sandbox/client_hello.h"
#include "sandbox/proxy_request.h"

namespace levin::sandbox {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failure = boost::system::error_code;
using Clock = std::chrono::steady_clock;
template <typename T>
using Awaitable = asio::awaitable<T>;

constexpr size_t kRelayBytes = 16 * 1024;
constexpr size_t kAddressesMax = 8;  // Of one name.

std::vector<ProxyAddress> system_resolve(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  std::vector<ProxyAddress> addresses;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) return {};
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    ProxyAddress address;
    address.size = entry->ai_addrlen;
    std::memcpy(&address.address, entry->ai_addr, entry->ai_addrlen);
    addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  return addresses;
}

bool has_public_address(const ProxyAddress& address) {
  if (address.address.ss_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &address.address, sizeof four);
    return is_public_address(four.sin_addr);
  }
  sockaddr_in6 six{};
  std::memcpy(&six, &address.address, sizeof six);
  return address.address.ss_family == AF_INET6 && is_public_address(six.sin6_addr);
}

bool is_loopback_address(const tcp::endpoint& endpoint) {
  return endpoint.address().is_loopback();
}

tcp::endpoint endpoint_of(const ProxyAddress& address) {
  tcp::endpoint endpoint;
  endpoint.resize(address.size);
  std::memcpy(endpoint.data(), &address.address, address.size);
  return endpoint;
}

// What a name lookup leaves for the connection that waits for it.
struct Lookup {
  std::mutex mutex;
  std::vector<ProxyAddress> addresses;
};

}  // namespace

struct Proxy::State {
  class Connection;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    io.stop();
    if (thread.joinable()) thread.join();
  }

  // In this order: the connections, which end with `io`, still use what stands before it.
  ProxyOptions options;
  int num_connections = 0;
  int64_t bytes_left = 0;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  std::thread thread;

  Awaitable<void> accept_all();
  void run();
};

// One client. Lives as long as one of its coroutines does; tells its event when it ends.
class Proxy::State::Connection {
 public:
  Connection(State& proxy, tcp::socket client)
      : proxy_(proxy),
        client_(std::move(client)),
        server_(proxy.io),
        timer_(proxy.io),
        start_(Clock::now()) {
    ++proxy_.num_connections;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    --proxy_.num_connections;
    event_.wall_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_).count();
    if (proxy_.options.on_event && (!event_.protocol.empty() || !event_.reason.empty())) {
      proxy_.options.on_event(event_);
    }
  }

  // shared_ptr: both directions of a tunnel and the timer use the connection, whichever is last.
  using Handle = std::shared_ptr<Connection>;

  static Awaitable<void> serve(Handle self) {
    self->expect_within(self, self->proxy_.options.opening_ms, "too slow to open");
    if (!co_await self->read_more()) {
      self->end();
      co_return;
    }
    const bool is_open =
        self->received_[0] == 5 ? co_await self->open_socks() : co_await self->open_http();
    if (is_open) {
      self->event_.allowed = true;
      self->note_traffic(self);
      asio::co_spawn(self->proxy_.io, send_on(self), asio::detached);
      co_await bring_back(self);
    } else {
      co_await drain(self);
    }
    self->end();
  }

 private:
  // Closing with bytes unread resets the connection, and the client may lose our answer.
  static Awaitable<void> drain(Handle self) {
    constexpr int64_t kDrainMs = 2'000;
    constexpr int kReadsMax = 64;
    Failure ignored;
    self->client_.shutdown(tcp::socket::shutdown_send, ignored);
    self->expect_within(self, kDrainMs, "");
    for (int count = 0; count < kReadsMax && co_await self->read_more(); ++count) {
      self->received_.clear();
    }
  }

  // Ends the connection unless it is called again within that time.
  void expect_within(const Handle& self, int64_t wait_ms, const char* reason) {
    timer_.expires_after(std::chrono::milliseconds(wait_ms));
    timer_.async_wait([weak = std::weak_ptr<Connection>(self), reason](Failure failure) {
      const Handle connection = weak.lock();
      if (failure || !connection) return;
      if (connection->event_.reason.empty()) connection->event_.reason = reason;
      connection->end();
    });
  }
  void note_traffic(const Handle& self) {
    expect_within(self, proxy_.options.idle_ms, "no traffic for too long");
  }

  void end() {
    Failure ignored;
    timer_.cancel(ignored);
    client_.close(ignored);
    server_.close(ignored);
  }

  Awaitable<bool> read_more() {
    char buffer[4096];
    Failure failure;
    const size_t count = co_await client_.async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, failure));
    received_.append(buffer, count);
    co_return !failure;
  }

  Awaitable<void> answer(std::string_view text) {
    Failure ignored;
    co_await asio::async_write(client_, asio::buffer(text.data(), text.size()),
                               asio::redirect_error(asio::use_awaitable, ignored));
  }

  Awaitable<void> answer_http(const char* status, std::string reason) {
    event_.reason = reason;
    const std::string body = "levin: " + reason + "\n";
    const std::string text = std::string("HTTP/1.1 ") + status +
                             "\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                             "Content-Length: " +
                             std::to_string(body.size()) + "\r\n\r\n" + body;
    co_await answer(text);
  }

  Awaitable<bool> open_http() {
    event_.protocol = "http";
    size_t head_end = std::string::npos;
    while ((head_end = find_head_end(received_)) == std::string::npos) {
      if (received_.size() > kRequestHeadBytesMax) {
        co_await answer_http("431 Request Header Fields Too Large", "the request head is too long");
        co_return false;
      }
      if (!co_await read_more()) co_return false;
    }
    const Result<ProxyRequest> request = parse_http_request(received_.substr(0, head_end));
    if (!request) {
      const bool is_length = request.error().code() == ErrorCode::kUnsupported;
      co_await answer_http(is_length ? "501 Not Implemented" : "400 Bad Request",
                           request.error().message());
      co_return false;
    }
    received_.erase(0, head_end);
    if (request->is_connect) event_.protocol = "connect";
    std::string refusal = co_await connect(request->host, request->port);
    if (!refusal.empty()) {
      co_await answer_http(is_refused_ ? "403 Forbidden" : "502 Bad Gateway", refusal);
      co_return false;
    }
    if (request->is_connect) {
      co_await answer("HTTP/1.1 200 Connection established\r\n\r\n");
      co_return co_await check_tls();
    }
    // One request, one server: a second one in the same connection is not sent on.
    body_left_ = request->body_bytes;
    is_one_request_ = true;
    co_return co_await send_server(request->head);
  }

  Awaitable<bool> open_socks() {
    event_.protocol = "socks5";
    SocksMessage greeting;
    while ((greeting = read_socks_greeting(received_)).size == 0) {
      if (!co_await read_more()) co_return false;
    }
    received_.erase(0, greeting.size);
    const char choice[2] = {5, static_cast<char>(greeting.refusal)};
    co_await answer(std::string_view(choice, 2));
    if (greeting.refusal != 0) {
      event_.reason = "only SOCKS5 without a password is offered";
      co_return false;
    }
    SocksMessage request;
    while ((request = read_socks_request(received_)).size == 0) {
      if (!co_await read_more()) co_return false;
    }
    received_.erase(0, request.size);
    char reply[10] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    reply[1] = static_cast<char>(request.refusal);
    std::string refusal;
    if (request.refusal != 0) {
      refusal = "only the CONNECT of SOCKS5 is offered";
    } else {
      refusal = co_await connect(request.host, request.port);
      constexpr char kNotAllowed = 2;
      constexpr char kUnreachable = 4;
      if (!refusal.empty()) reply[1] = is_refused_ ? kNotAllowed : kUnreachable;
    }
    co_await answer(std::string_view(reply, sizeof reply));
    if (!refusal.empty()) {
      event_.reason = refusal;
      co_return false;
    }
    co_return co_await check_tls();
  }

  // Rule, name, addresses, connection; returns why not, empty when the server is connected.
  Awaitable<std::string> connect(std::string host, uint16_t port) {
    event_.host = host;
    event_.port = port;
    is_refused_ = true;
    const NetRule* rule = find_net_rule(proxy_.options.rules, host, port);
    if (rule == nullptr) co_return "no rule allows this host and port";
    rule_ = *rule;
    const std::vector<ProxyAddress> addresses = co_await look_up();
    for (const ProxyAddress& address : addresses) {
      // One bad address spoils the name: who answers so may answer otherwise a moment later.
      const bool is_fine = rule_.is_loopback          ? is_loopback_address(endpoint_of(address))
                           : proxy_.options.is_public ? proxy_.options.is_public(address)
                                                      : has_public_address(address);
      if (!is_fine) co_return "the name leads to an address that is not public";
    }
    is_refused_ = false;
    if (addresses.empty()) co_return "the name is not known";
    for (size_t index = 0; index < addresses.size() && index < kAddressesMax; ++index) {
      Failure failure;
      Failure ignored;
      server_.close(ignored);
      const tcp::endpoint endpoint = endpoint_of(addresses[index]);
      co_await server_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, failure));
      if (failure) continue;
      event_.address = endpoint.address().to_string();
      co_return "";
    }
    co_return "the server cannot be reached";
  }

  // getaddrinfo() blocks and cannot be broken off: it gets a thread that nobody waits for.
  Awaitable<std::vector<ProxyAddress>> look_up() {
    const UniqueFd ready(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const int thread_end = ready ? ::fcntl(ready.get(), F_DUPFD_CLOEXEC, 0) : -1;
    if (thread_end < 0) co_return std::vector<ProxyAddress>();
    const auto lookup = std::make_shared<Lookup>();  // shared_ptr: the thread may outlive us.
    const auto resolve = proxy_.options.resolve ? proxy_.options.resolve : system_resolve;
    std::thread([lookup, resolve, thread_end, host = rule_.host, port = rule_.port] {
      const UniqueFd done(thread_end);
      std::vector<ProxyAddress> addresses = resolve(host, port);
      const std::lock_guard lock(lookup->mutex);
      lookup->addresses = std::move(addresses);
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(done.get(), &one, sizeof one);
    }).detach();
    asio::posix::stream_descriptor waiter(proxy_.io, ::fcntl(ready.get(), F_DUPFD_CLOEXEC, 0));
    Failure failure;
    co_await waiter.async_wait(asio::posix::stream_descriptor::wait_read,
                               asio::redirect_error(asio::use_awaitable, failure));
    const std::lock_guard lock(lookup->mutex);
    co_return std::move(lookup->addresses);
  }

  // The first bytes of a tunnel have to be TLS for the name that was asked for. A test host on this
  // machine may speak anything.
  Awaitable<bool> check_tls() {
    if (rule_.is_loopback) co_return true;
    ClientHello hello;
    while ((hello = read_client_hello(received_)).state == ClientHello::State::kNeedMore) {
      if (!co_await read_more()) {
        if (event_.reason.empty()) event_.reason = "closed before it spoke TLS";
        co_return false;
      }
    }
    if (hello.state == ClientHello::State::kNotTls) {
      event_.reason = "not TLS";
      co_return false;
    }
    const bool is_address = rule_.host.find_first_not_of("0123456789.") == std::string::npos ||
                            rule_.host.find(':') != std::string::npos;
    const bool is_same =
        hello.server_name.empty() ? is_address : canonical_host(hello.server_name) == rule_.host;
    if (!is_same) event_.reason = "TLS asks for another name (" + hello.server_name + ")";
    co_return is_same;
  }

  // False when a limit or the server ended it.
  Awaitable<bool> send_server(std::string bytes) {
    if (!take_from_budget(bytes.size())) co_return false;
    Failure failure;
    event_.bytes_sent += static_cast<int64_t>(bytes.size());
    co_await asio::async_write(server_, asio::buffer(bytes),
                               asio::redirect_error(asio::use_awaitable, failure));
    co_return !failure;
  }

  bool take_from_budget(size_t count) {
    proxy_.bytes_left -= static_cast<int64_t>(count);
    if (proxy_.bytes_left >= 0) return true;
    event_.reason = "the limit of bytes is used up";
    return false;
  }

  // Of one plain request only its body goes on.
  std::string sendable() {
    std::string bytes = std::exchange(received_, std::string());
    if (!is_one_request_) return bytes;
    if (bytes.size() > body_left_) bytes.resize(static_cast<size_t>(body_left_));
    body_left_ -= bytes.size();
    return bytes;
  }

  static Awaitable<void> send_on(Handle self) {
    for (;;) {
      const std::string bytes = self->sendable();
      if (!bytes.empty() && !co_await self->send_server(bytes)) {
        self->end();
        co_return;
      }
      self->note_traffic(self);
      if (!co_await self->read_more()) break;
    }
    Failure ignored;
    // The other way may go on.
    if (!self->is_one_request_) self->server_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  static Awaitable<void> bring_back(Handle self) {
    std::string buffer(kRelayBytes, '\0');
    for (;;) {
      Failure failure;
      const size_t count = co_await self->server_.async_read_some(
          asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, failure));
      if (failure || !self->take_from_budget(count)) break;
      self->event_.bytes_received += static_cast<int64_t>(count);
      self->note_traffic(self);
      co_await asio::async_write(self->client_, asio::buffer(buffer.data(), count),
                                 asio::redirect_error(asio::use_awaitable, failure));
      if (failure) break;
    }
  }

  State& proxy_;
  tcp::socket client_;
  tcp::socket server_;
  asio::steady_timer timer_;
  Clock::time_point start_;
  ProxyEvent event_;
  NetRule rule_;
  std::string received_;  // From the client, not sent on yet.
  bool is_refused_ = false;
  bool is_one_request_ = false;
  uint64_t body_left_ = 0;
};

Awaitable<void> Proxy::State::accept_all() {
  asio::steady_timer pause(io);
  for (;;) {
    Failure failure;
    tcp::socket client(io);
    co_await acceptor.async_accept(client, asio::redirect_error(asio::use_awaitable, failure));
    if (failure) {
      // Out of descriptors, most likely; trying on at once would only burn time.
      constexpr auto kPause = std::chrono::milliseconds(100);
      pause.expires_after(kPause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, failure));
      continue;
    }
    if (num_connections >= options.connections_max) {
      ProxyEvent event;
      event.reason = "too many connections at once";
      if (options.on_event) options.on_event(event);
      continue;
    }
    asio::co_spawn(io, Connection::serve(std::make_shared<Connection>(*this, std::move(client))),
                   asio::detached);
  }
}

void Proxy::State::run() {
  // The program's signals belong to its main thread.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  asio::co_spawn(io, accept_all(), asio::detached);
  io.run();
}

Proxy::Proxy(std::unique_ptr<State> state) : state_(std::move(state)) {}
Proxy::Proxy(Proxy&&) noexcept = default;
Proxy& Proxy::operator=(Proxy&&) noexcept = default;
Proxy::~Proxy() = default;

Result<Proxy> Proxy::start(UniqueFd listener, ProxyOptions options) {
  auto state = std::make_unique<State>();
  state->bytes_left = options.bytes_max;
  state->options = std::move(options);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Error(ErrorCode::kIo, std::string("the proxy's socket: ") + std::strerror(errno));
  }
  Failure failure;
  state->acceptor.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), listener.get(),
                         failure);
  if (failure) return Error(ErrorCode::kIo, "the proxy's socket: " + failure.message());
  static_cast<void>(listener.release());
  state->thread = std::thread([raw = state.get()] { raw->run(); });
  return Proxy(std::move(state));
}

std::vector<std::pair<std::string, std::string>> proxy_environment(uint16_t port) {
  const std::string place = "127.0.0.1:" + std::to_string(port);
  std::vector<std::pair<std::string, std::string>> variables;
  for (const char* name : {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"}) {
    variables.emplace_back(name, "http://" + place);
  }
  for (const char* name : {"ALL_PROXY", "all_proxy"}) {
    variables.emplace_back(name, "socks5h://" + place);
  }
  for (const char* name : {"NO_PROXY", "no_proxy"}) {
    variables.emplace_back(name, "localhost,127.0.0.1,::1");
  }
  return variables;
}

}  // namespace levin::sandbox
