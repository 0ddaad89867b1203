// The first message of a TLS client, built by hand: only what the proxy looks at is meant.
#pragma once

#include <string>
#include <vector>

namespace levin::sandbox {

inline std::string big_endian(size_t value, int num_bytes) {
  std::string text;
  for (int shift = 8 * (num_bytes - 1); shift >= 0; shift -= 8) {
    text += static_cast<char>(value >> shift & 0xFF);
  }
  return text;
}
inline std::string counted(const std::string& text, int num_bytes) {
  return big_endian(text.size(), num_bytes) + text;
}

// An empty name: no server_name extension. `more_names`: further extensions of the same kind.
inline std::string tls_hello(const std::string& name, std::vector<std::string> more_names = {}) {
  std::string extensions = big_endian(43, 2) + counted(counted("\x03\x04", 1), 2);
  if (!name.empty()) more_names.insert(more_names.begin(), name);
  for (const std::string& one : more_names) {
    const std::string entry = big_endian(0, 1) + counted(one, 2);
    extensions += big_endian(0, 2) + counted(counted(entry, 2), 2);
  }
  const std::string body = "\x03\x03" + std::string(32, 'r') + counted(std::string(32, 's'), 1) +
                           counted("\x13\x01\x13\x02", 2) + counted(std::string(1, '\0'), 1) +
                           counted(extensions, 2);
  const std::string message = big_endian(1, 1) + counted(body, 3);
  return "\x16\x03\x01" + counted(message, 2);
}

}  // namespace levin::sandbox
