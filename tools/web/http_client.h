// Fetches one thing from a server on this machine; the only way by which a page under test gets
// anything (tools/web/page.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace levin::tools::web {

struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct HttpRequest {
  std::string method = "GET";
  int port = 0;  // On 127.0.0.1.
  std::string target;
  std::string host;  // As the page knows it, for the Host header.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// Errors: kIo, also when the answer took longer than 5 s or is larger than 64 MiB.
Result<HttpAnswer> http_fetch(const HttpRequest& request);

struct LoopbackUrl {
  std::string host;  // "127.0.0.1:8000": what a URL of the same server begins with after "http://".
  int port = 80;
  std::string target;  // From the first slash on; "/" when there is none.
};

// Errors: kInvalidArgument for a URL that is not http on 127.0.0.1 or localhost.
Result<LoopbackUrl> parse_loopback_url(const std::string& url);

}  // namespace levin::tools::web
