#include "sandbox/net_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace levin::sandbox {
namespace {

constexpr size_t kHostBytesMax = 253;  // RFC 1035, as text.

struct Block {
  uint32_t first;
  int bits;
};

// IANA's registry of special IPv4 addresses, with multicast and what is above it.
constexpr std::array<Block, 15> kSpecialBlocks = {{{0x00000000, 8},    // this network
                                                   {0x0A000000, 8},    // private
                                                   {0x64400000, 10},   // shared (CGNAT)
                                                   {0x7F000000, 8},    // loopback
                                                   {0xA9FE0000, 16},   // link-local
                                                   {0xAC100000, 12},   // private
                                                   {0xC0000000, 24},   // protocol assignments
                                                   {0xC0000200, 24},   // documentation
                                                   {0xC0586300, 24},   // 6to4 relays
                                                   {0xC0A80000, 16},   // private
                                                   {0xC6120000, 15},   // benchmarks
                                                   {0xC6336400, 24},   // documentation
                                                   {0xCB007100, 24},   // documentation
                                                   {0xE0000000, 4},    // multicast
                                                   {0xF0000000, 4}}};  // reserved, broadcast

bool is_public_ipv4(uint32_t address) {
  return std::none_of(kSpecialBlocks.begin(), kSpecialBlocks.end(), [&](const Block& block) {
    return (address ^ block.first) >> (32 - block.bits) == 0;
  });
}

// What inet_aton() would take for an address although it is not written as one: only digits, dots
// and hexadecimal numbers.
bool is_odd_number(std::string_view host) {
  size_t start = 0;
  while (start <= host.size()) {
    const size_t end = std::min(host.find('.', start), host.size());
    std::string_view part = host.substr(start, end - start);
    if (part.starts_with("0x")) part.remove_prefix(2);
    const bool is_hex = part.size() + 2 == end - start;
    const bool is_number = std::all_of(part.begin(), part.end(), [&](unsigned char byte) {
      return is_hex ? std::isxdigit(byte) != 0 : std::isdigit(byte) != 0;
    });
    if (!is_number) return false;
    start = end + 1;
  }
  return true;
}

bool is_loopback(const std::string& host) {
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1";
}

bool is_address(const std::string& host) {
  in6_addr six{};
  in_addr four{};
  return ::inet_pton(AF_INET, host.c_str(), &four) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &six) == 1;
}

bool is_public_text(const std::string& host) {
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return is_public_address(four);
  in6_addr six{};
  return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && is_public_address(six);
}

Error wrong(std::string_view text, const std::string& what) {
  return Error(ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\": " + what);
}

}  // namespace

bool is_public_address(const in_addr& address) {
  return is_public_ipv4(ntohl(address.s_addr));
}

bool is_public_address(const in6_addr& address) {
  const uint8_t* byte = address.s6_addr;
  const auto number = [&](int index) {
    return uint32_t{byte[index]} << 24 | uint32_t{byte[index + 1]} << 16 |
           uint32_t{byte[index + 2]} << 8 | uint32_t{byte[index + 3]};
  };
  // 64:ff9b::/96 stands for the IPv4 address in its end (RFC 6052).
  if (number(0) == 0x0064FF9B && number(4) == 0 && number(8) == 0) {
    return is_public_ipv4(number(12));
  }
  if (byte[0] >> 5 != 1) return false;  // Only 2000::/3 is given out.
  const uint32_t first = number(0);
  if (first == 0x20010DB8) return false;              // documentation
  if (first >> 16 == 0x2002) return false;            // 6to4
  if (first >> 9 == 0x20010000 >> 9) return false;    // 2001::/23, Teredo among it
  if (first >> 12 == 0x3FFF0000 >> 12) return false;  // documentation
  return true;
}

std::string canonical_host(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return "";
  } else if (host.ends_with('.')) {
    host.remove_suffix(1);
  }
  if (host.empty() || host.size() > kHostBytesMax) return "";
  std::string name(host);
  char text[INET6_ADDRSTRLEN] = {};
  in6_addr six{};
  if (name.find(':') != std::string::npos) {
    if (::inet_pton(AF_INET6, name.c_str(), &six) != 1) return "";
    return ::inet_ntop(AF_INET6, &six, text, sizeof text);
  }
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char byte) { return static_cast<char>(std::tolower(byte)); });
  const bool is_plain = std::all_of(name.begin(), name.end(), [](unsigned char byte) {
    return std::isalnum(byte) != 0 || byte == '-' || byte == '.' || byte == '_';
  });
  if (!is_plain || name.front() == '.' || name.find("..") != std::string::npos) return "";
  return name;
}

Result<NetRule> parse_net_rule(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return wrong(text, "expected HOST:PORT");
  NetRule rule;
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.begin(), port.end(), rule.port);
  if (error != std::errc() || end != port.end() || rule.port == 0) {
    return wrong(text, "the port must be a number from 1 to 65535");
  }
  const std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !host.starts_with('[')) {
    return wrong(text, "an IPv6 address stands in brackets: [::1]:8080");
  }
  rule.host = canonical_host(host);
  if (rule.host.empty()) return wrong(text, "the host is no name and no address");
  if (!is_address(rule.host) && is_odd_number(rule.host)) {
    return wrong(text, "write an IPv4 address as four numbers");
  }
  rule.is_loopback = is_loopback(rule.host);
  if (is_address(rule.host) && !rule.is_loopback && !is_public_text(rule.host)) {
    return wrong(text, "private, link-local and other special addresses cannot be allowed");
  }
  return rule;
}

const NetRule* find_net_rule(const std::vector<NetRule>& rules, std::string_view host,
                             uint16_t port) {
  const std::string name = canonical_host(host);
  if (name.empty()) return nullptr;
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const NetRule& rule) {
    return rule.port == port && rule.host == name;
  });
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace levin::sandbox
