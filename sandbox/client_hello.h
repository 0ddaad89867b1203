// The server name in the first bytes of a TLS connection (RFC 8446, 4.1.2; RFC 6066, 3). Reads
// bytes that an adversary chose; keeps nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace levin::sandbox {

inline constexpr size_t kClientHelloBytesMax = 64 * 1024;

struct ClientHello {
  enum class State {
    kNeedMore,  // So far it may become one.
    kNotTls,    // No TLS handshake, or a broken one.
    kComplete,
  };
  State state = State::kNeedMore;
  std::string server_name;  // As it was sent; empty when the client named none.
};

// `bytes`: all that the client has sent so far.
ClientHello read_client_hello(std::string_view bytes);

}  // namespace levin::sandbox
