// Which hosts a command may reach, as data: names with ports, and what a host or an address is.
// Decides only; the connections are made by proxy.h.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace levin::sandbox {

// HOST:PORT as the user typed it.
struct NetRule {
  std::string host;  // A name in lower case, or an address as inet_ntop() writes it.
  uint16_t port = 0;
  bool is_loopback = false;  // "localhost" or a loopback address: a test host on this machine.

  bool operator==(const NetRule&) const = default;
};

// "example.org:443", "127.0.0.1:8080", "[::1]:8080", "localhost:8080". Errors: kInvalidArgument
// with what is wrong; also for addresses that no command may reach (private, link-local ...) and
// for numbers that only some resolvers take for an address ("127.1").
Result<NetRule> parse_net_rule(std::string_view text);

// The rule that allows this host and port; null for none. `host` as a client wrote it: any case,
// perhaps with a final dot, or an address.
const NetRule* find_net_rule(const std::vector<NetRule>& rules, std::string_view host,
                             uint16_t port);

// Lower case, without a final dot and, of an address, without brackets and in its one form. Empty
// for text that is neither a name nor an address.
std::string canonical_host(std::string_view host);

// An address of the open internet: not private, loopback, link-local, shared (CGNAT), multicast,
// documentation or otherwise special; IPv6 that stands for IPv4 counts as what it stands for, and
// mapped addresses (::ffff:...) never count.
bool is_public_address(const in_addr& address);
bool is_public_address(const in6_addr& address);

}  // namespace levin::sandbox
