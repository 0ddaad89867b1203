// Serves the files of one folder to this machine: 127.0.0.1, a port that the kernel picks, and a
// random first path component, so that other users and other pages can't guess it. Read only.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace levin::tools {

// Scripts and styles may stand in the page; everything comes from the folder itself.
inline constexpr const char* kWebContentPolicy =
    "default-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "media-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'";

class WebServer {
 public:
  // Serves from a thread of its own until the server is destroyed. Errors: kInvalidArgument or
  // kNotFound for a folder that can't be opened, kIo.
  static Result<std::unique_ptr<WebServer>> start(const std::string& folder);
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  // "http://127.0.0.1:PORT/TOKEN/": the folder's index.html.
  const std::string& url() const;

 private:
  struct Parts;
  explicit WebServer(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

// The page that a folder shows, relative to it: index.html, else its only *.html file (in the folder
// or one below). Errors: kNotFound.
Result<std::string> find_web_entry(const std::string& folder);

}  // namespace levin::tools
