#include "sandbox/client_hello.h"

#include <cstdint>

namespace levin::sandbox {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHelloMessage = 1;
constexpr size_t kServerNameExtension = 0;

// Numbers and pieces from the front of a text; once something is missing, ok() is false for good.
class Bytes {
 public:
  explicit Bytes(std::string_view rest) : rest_(rest) {}

  size_t number(size_t num_bytes) {
    size_t value = 0;
    for (const char byte : take(num_bytes)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  std::string_view take(size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return part;
  }
  // A piece behind its own length.
  std::string_view counted(size_t length_bytes) { return take(number(length_bytes)); }

  bool empty() const { return rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

ClientHello not_tls() {
  return {ClientHello::State::kNotTls, ""};
}

// The name in the body of the message.
ClientHello read_message(std::string_view message) {
  Bytes body(message);
  body.take(2 + 32);  // Version, random.
  body.counted(1);    // Session id.
  body.counted(2);    // Cipher suites.
  body.counted(1);    // Compression methods.
  ClientHello hello{ClientHello::State::kComplete, ""};
  if (!body.ok()) return not_tls();
  if (body.empty()) return hello;
  Bytes extensions(body.counted(2));
  if (!body.ok() || !body.empty()) return not_tls();
  bool is_named = false;
  while (!extensions.empty()) {
    const size_t type = extensions.number(2);
    Bytes extension(extensions.counted(2));
    if (!extensions.ok()) return not_tls();
    if (type != kServerNameExtension) continue;
    // A second extension or a second name could tell the server another one than us.
    Bytes list(extension.counted(2));
    const size_t name_type = list.number(1);
    const std::string_view name = list.counted(2);
    if (is_named || !extension.ok() || !extension.empty() || !list.ok() || !list.empty() ||
        name_type != 0 || name.empty() || name.find('\0') != std::string_view::npos) {
      return not_tls();
    }
    is_named = true;
    hello.server_name = name;
  }
  return hello;
}

}  // namespace

ClientHello read_client_hello(std::string_view bytes) {
  // A message may be spread over records, and records over packets.
  std::string message;
  size_t position = 0;
  while (position < bytes.size()) {
    const std::string_view rest = bytes.substr(position);
    if (static_cast<uint8_t>(rest[0]) != kHandshakeRecord) return not_tls();
    if (rest.size() > 1 && rest[1] != 3) return not_tls();
    if (rest.size() < 5) break;
    Bytes header(rest);
    header.take(3);
    const size_t length = header.number(2);
    if (length == 0 || length > 16 * 1024 + 256) return not_tls();
    message += rest.substr(5, length);
    if (message.empty()) break;
    if (message[0] != kClientHelloMessage) return not_tls();
    if (message.size() >= 4) {
      Bytes start(std::string_view(message).substr(1));
      const size_t size = start.number(3);
      if (size + 4 > kClientHelloBytesMax) return not_tls();
      if (message.size() >= size + 4)
        return read_message(std::string_view(message).substr(4, size));
    }
    position += 5 + length;
  }
  if (bytes.size() >= kClientHelloBytesMax) return not_tls();
  return {};
}

}  // namespace levin::sandbox
