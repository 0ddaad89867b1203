// The HTTP side of web_server.h, by Boost.Beast: one thread, connections as chains of handlers.
#include <sys/random.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "tools/web/app_files.h"
#include "tools/web_server.h"

namespace levin::tools {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr int kConnectionsMax = 64;
constexpr auto kIdleMax = std::chrono::seconds(30);

struct Served {
  Workspace folder;
  std::string prefix;  // "/TOKEN/"
  int connections = 0;
};

std::string random_token() {
  unsigned char bytes[16] = {};
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) return "";
  std::string token;
  for (const unsigned char byte : bytes) {
    token += "0123456789abcdef"[byte >> 4];
    token += "0123456789abcdef"[byte & 15];
  }
  return token;
}

http::response<http::string_body> answer(const Served& served,
                                         const http::request<http::empty_body>& request) {
  const std::string target(request.target().substr(0, request.target().find_first_of("?#")));
  web::FileAnswer file{404, "text/plain", "not found\n"};
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    file = {405, "text/plain", "only GET\n"};
  } else if (target.starts_with(served.prefix)) {
    file = web::answer_file(served.folder, target.substr(served.prefix.size()));
  }
  http::response<http::string_body> response;
  response.result(static_cast<unsigned>(file.status));
  response.version(request.version());
  response.set(http::field::content_type, file.type);
  response.set(http::field::cache_control, "no-store");
  response.set("Content-Security-Policy", kWebContentPolicy);
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  response.keep_alive(request.keep_alive());
  response.body() = std::move(file.body);
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

// Shared by the handlers that are under way: the last of them ends the connection.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Served& served) : stream_(std::move(socket)), served_(served) {
    ++served_.connections;
  }
  ~Connection() { --served_.connections; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read() {
    request_ = {};
    stream_.expires_after(kIdleMax);
    http::async_read(stream_, buffer_, request_,
                     [self = shared_from_this()](beast::error_code error, size_t) {
                       if (!error) self->write();
                     });
  }

 private:
  void write() {
    response_ = answer(served_, request_);
    stream_.expires_after(kIdleMax);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](beast::error_code error, size_t) {
                        if (!error && self->response_.keep_alive()) self->read();
                      });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{64 * 1024};
  http::request<http::empty_body> request_;
  http::response<http::string_body> response_;
  Served& served_;
};

bool is_page(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".html" || ending == ".htm";
}

}  // namespace

struct WebServer::Parts {
  explicit Parts(Workspace folder) : served{std::move(folder), "", 0}, acceptor(io) {}

  void accept() {
    acceptor.async_accept([this](beast::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error && served.connections < kConnectionsMax) {
        // Its handlers own it, see the class.
        std::make_shared<Connection>(std::move(socket), served)->read();
      }
      accept();
    });
  }

  Served served;
  std::string url;
  asio::io_context io{1};
  tcp::acceptor acceptor;
  std::thread thread;
};

WebServer::WebServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<WebServer>> WebServer::start(const std::string& folder) {
  std::error_code path_error;
  const std::filesystem::path real = std::filesystem::canonical(folder, path_error);
  if (path_error) return Error(ErrorCode::kNotFound, folder + ": " + path_error.message());
  TRY_ASSIGN(Workspace workspace, Workspace::open(real.string()));
  auto parts = std::make_unique<Parts>(std::move(workspace));
  const std::string token = random_token();
  if (token.empty()) return Error(ErrorCode::kIo, "serving " + folder + ": no random numbers");
  beast::error_code error;
  tcp::acceptor& acceptor = parts->acceptor;
  acceptor.open(tcp::v4(), error);
  if (!error) acceptor.bind({asio::ip::address_v4::loopback(), 0}, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  const tcp::endpoint endpoint = error ? tcp::endpoint() : acceptor.local_endpoint(error);
  if (error) return Error(ErrorCode::kIo, "serving " + folder + ": " + error.message());
  parts->served.prefix = "/" + token + "/";
  parts->url = "http://127.0.0.1:" + std::to_string(endpoint.port()) + parts->served.prefix;
  parts->accept();
  parts->thread = std::thread([&io = parts->io] { io.run(); });
  return std::unique_ptr<WebServer>(new WebServer(std::move(parts)));
}

WebServer::~WebServer() {
  parts_->io.stop();
  parts_->thread.join();
}

const std::string& WebServer::url() const { return parts_->url; }

Result<std::string> find_web_entry(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_regular_file(fs::path(folder) / "index.html", error)) return std::string("index.html");
  std::vector<std::string> pages;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                         error);
  if (error) return Error(ErrorCode::kNotFound, folder + ": " + error.message());
  for (; entry != fs::recursive_directory_iterator() && !error; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.') || entry.depth() > 1) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_regular_file(error) && is_page(entry->path())) {
      pages.push_back(fs::relative(entry->path(), folder, error).string());
    }
  }
  std::ranges::sort(pages);
  for (const std::string& page : pages) {
    if (fs::path(page).filename() == "index.html") return page;
  }
  if (pages.size() == 1) return pages.front();
  return Error(ErrorCode::kNotFound,
               folder + (pages.empty() ? ": no HTML file to open"
                                       : ": several HTML files and none is index.html"));
}

}  // namespace levin::tools
