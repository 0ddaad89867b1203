#include "sandbox/proxy_request.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

namespace levin::sandbox {
namespace {

// Meant for the next hop alone, or written anew.
constexpr std::array<std::string_view, 10> kDroppedHeaders = {
    "connection", "host",    "keep-alive", "proxy-authenticate", "proxy-authorization",
    "te",         "trailer", "upgrade",    "proxy-connection",   "expect"};

Error wrong(const std::string& what) {
  return Error(ErrorCode::kInvalidArgument, what);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char byte) { return static_cast<char>(std::tolower(byte)); });
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char byte) {
    return std::isalnum(byte) != 0 || std::strchr("!#$%&'*+-.^_`|~", byte) != nullptr;
  });
}

// "host:port" or "host", no user name in it.
Result<void> read_authority(std::string_view text, std::optional<uint16_t> default_port,
                            ProxyRequest* request) {
  if (text.find('@') != std::string_view::npos) return wrong("a user name in the address");
  size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find(']', colon) != std::string_view::npos) {
    colon = std::string_view::npos;  // Inside of an IPv6 address.
  }
  request->host = text.substr(0, colon);
  if (request->host.empty()) return wrong("no host in the address");
  if (colon == std::string_view::npos) {
    if (!default_port) return wrong("no port in the address");
    request->port = *default_port;
    return {};
  }
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.begin(), port.end(), request->port);
  if (error != std::errc() || end != port.end() || request->port == 0) {
    return wrong("a wrong port in the address");
  }
  return {};
}

// The headers that go on; notes the length of the body.
Result<std::string> read_headers(std::string_view lines, ProxyRequest* request) {
  std::string kept;
  std::optional<std::string> length;
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 2, lines.size()));
    if (line.empty()) break;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      return wrong("a header line that is none");
    }
    const bool is_clean = std::none_of(line.begin(), line.end(), [](unsigned char byte) {
      return byte == '\r' || byte == '\n' || byte == '\0';
    });
    if (!is_clean) return wrong("a control character in a header");
    const std::string name = lower(line.substr(0, colon));
    const std::string value(trimmed(line.substr(colon + 1)));
    if (name == "transfer-encoding") {
      return Error(ErrorCode::kUnsupported, "a body without Content-Length");
    }
    if (name == "content-length") {
      if (length && *length != value) return wrong("two lengths of one body");
      length = value;
    }
    if (std::find(kDroppedHeaders.begin(), kDroppedHeaders.end(), name) == kDroppedHeaders.end()) {
      kept += std::string(line) + "\r\n";
    }
  }
  if (length) {
    const auto [end, error] =
        std::from_chars(length->data(), length->data() + length->size(), request->body_bytes);
    if (error != std::errc() || end != length->data() + length->size() || length->empty()) {
      return wrong("a wrong Content-Length");
    }
  }
  return kept;
}

}  // namespace

size_t find_head_end(std::string_view bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  return end == std::string_view::npos ? end : end + 4;
}

Result<ProxyRequest> parse_http_request(std::string_view head) {
  const size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return wrong("no request line");
  const std::string_view line = head.substr(0, line_end);
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return wrong("no request line");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return wrong("a wrong method");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return wrong("not HTTP/1.1");
  const bool is_printable = std::all_of(
      target.begin(), target.end(), [](unsigned char byte) { return byte > ' ' && byte != 0x7F; });
  if (!is_printable || target.empty()) return wrong("a wrong target");
  ProxyRequest request;
  if (method == "CONNECT") {
    request.is_connect = true;
    TRY(read_authority(target, std::nullopt, &request));
    TRY(read_headers(head.substr(line_end + 2), &request));
    return request;
  }
  constexpr std::string_view kScheme = "http://";
  if (lower(target.substr(0, kScheme.size())) != kScheme) {
    return Error(ErrorCode::kUnsupported, "only http:// goes this way; CONNECT is for the rest");
  }
  const std::string_view rest = target.substr(kScheme.size());
  const size_t path = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, path);
  TRY(read_authority(authority, 80, &request));
  TRY_ASSIGN(const std::string headers, read_headers(head.substr(line_end + 2), &request));
  const std::string_view query = rest.substr(path);
  request.head = std::string(method) + ' ' + (query.starts_with('/') ? "" : "/") +
                 std::string(query) + " HTTP/1.1\r\nHost: " + std::string(authority) +
                 "\r\nConnection: close\r\n" + headers + "\r\n";
  return request;
}

SocksMessage read_socks_greeting(std::string_view bytes) {
  SocksMessage message;
  if (bytes.size() < 2) return message;
  const size_t num_methods = static_cast<uint8_t>(bytes[1]);
  if (bytes.size() < 2 + num_methods) return message;
  message.size = 2 + num_methods;
  if (bytes.substr(2, num_methods).find('\0') == std::string_view::npos) message.refusal = 0xFF;
  return message;
}

SocksMessage read_socks_request(std::string_view bytes) {
  constexpr uint8_t kNotSupported = 7;
  constexpr uint8_t kWrongAddressType = 8;
  SocksMessage message;
  if (bytes.size() < 5) return message;
  const auto byte = [&](size_t index) { return static_cast<uint8_t>(bytes[index]); };
  size_t length = 0;  // Of the address.
  size_t start = 4;
  if (byte(3) == 1) {
    length = 4;
  } else if (byte(3) == 4) {
    length = 16;
  } else if (byte(3) == 3) {
    length = byte(4);
    start = 5;
  } else {
    message.size = bytes.size();
    message.refusal = kWrongAddressType;
    return message;
  }
  if (bytes.size() < start + length + 2) return message;
  message.size = start + length + 2;
  message.port = static_cast<uint16_t>(byte(start + length) << 8 | byte(start + length + 1));
  if (byte(0) != 5 || byte(1) != 1) message.refusal = kNotSupported;  // CONNECT alone.
  if (byte(3) == 3) {
    message.host = bytes.substr(start, length);
    return message;
  }
  char text[INET6_ADDRSTRLEN] = {};
  const std::string address(bytes.substr(start, length));
  ::inet_ntop(byte(3) == 1 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
  message.host = text;
  return message;
}

}  // namespace levin::sandbox
