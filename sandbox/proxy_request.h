// What a client asks of the proxy: the head of an HTTP request (RFC 9112) and the messages of
// SOCKS5 (RFC 1928), read from bytes that an adversary chose. Opens nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace levin::sandbox {

inline constexpr size_t kRequestHeadBytesMax = 64 * 1024;

struct ProxyRequest {
  bool is_connect = false;
  std::string host;  // As the client wrote it, without brackets' meaning resolved.
  uint16_t port = 0;
  std::string head;         // Not for CONNECT: the head to send on, for this server alone.
  uint64_t body_bytes = 0;  // That follow it.
};

// `head`: up to and with the empty line. Errors: kInvalidArgument (a wrong request: 400);
// kUnsupported (a body without a length: 411; another scheme than http).
Result<ProxyRequest> parse_http_request(std::string_view head);

// Index behind the empty line that ends a head; npos while it has not come.
size_t find_head_end(std::string_view bytes);

struct SocksMessage {
  size_t size = 0;  // Bytes it took; 0: more have to come.
  std::string host;
  uint16_t port = 0;
  uint8_t refusal = 0;  // A SOCKS5 reply code other than 0: what it asks is not offered.
};

// The greeting: `size` alone, with refusal 0xFF when it offers only methods with a password.
SocksMessage read_socks_greeting(std::string_view bytes);
SocksMessage read_socks_request(std::string_view bytes);

}  // namespace levin::sandbox
