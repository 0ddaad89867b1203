#include "tools/web/http_client.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>

namespace levin::tools::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr auto kAnswerMax = std::chrono::seconds(5);
constexpr uint64_t kAnswerBytesMax = uint64_t{64} << 20;

http::request<http::string_body> beast_request(const HttpRequest& request) {
  http::request<http::string_body> out;
  out.method_string(request.method);
  out.target(request.target);
  out.version(11);
  for (const auto& [name, value] : request.headers) out.set(name, value);
  out.set(http::field::host, request.host);
  out.set(http::field::connection, "close");
  out.body() = request.body;
  out.prepare_payload();
  return out;
}

}  // namespace

Result<HttpAnswer> http_fetch(const HttpRequest& request) {
  asio::io_context io{1};
  beast::tcp_stream stream(io);
  beast::flat_buffer buffer;
  const http::request<http::string_body> out = beast_request(request);
  http::response_parser<http::string_body> parser;
  parser.body_limit(kAnswerBytesMax);
  if (request.method == "HEAD") parser.skip(true);
  beast::error_code failed;
  stream.expires_after(kAnswerMax);
  stream.async_connect(
      tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<uint16_t>(request.port)),
      [&](beast::error_code error) {
        if ((failed = error)) return;
        http::async_write(stream, out, [&](beast::error_code write_error, size_t) {
          if ((failed = write_error)) return;
          http::async_read(stream, buffer, parser,
                           [&](beast::error_code read_error, size_t) { failed = read_error; });
        });
      });
  io.run();
  if (failed) {
    return Error(ErrorCode::kIo, request.method + " http://" + request.host + request.target + ": " +
                                     failed.message());
  }
  HttpAnswer answer;
  answer.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) {
    answer.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  answer.body = std::move(parser.get().body());
  return answer;
}

Result<LoopbackUrl> parse_loopback_url(const std::string& url) {
  const Error refused(ErrorCode::kInvalidArgument,
                      url + ": expected http://127.0.0.1:PORT/... or http://localhost:PORT/...");
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return refused;
  const size_t slash = std::min(url.find('/', kScheme.size()), url.size());
  LoopbackUrl parsed;
  parsed.host = url.substr(kScheme.size(), slash - kScheme.size());
  parsed.target = slash == url.size() ? "/" : url.substr(slash);
  const size_t colon = parsed.host.find(':');
  const std::string name = parsed.host.substr(0, colon);
  if (name != "127.0.0.1" && name != "localhost") return refused;
  if (colon != std::string::npos) {
    const char* end = parsed.host.data() + parsed.host.size();
    const auto [stop, error] = std::from_chars(parsed.host.data() + colon + 1, end, parsed.port);
    if (error != std::errc() || stop != end || parsed.port < 1 || parsed.port > 65535) {
      return refused;
    }
  }
  return parsed;
}

}  // namespace levin::tools::web
