// A headless Chromium that stays open between checks. Found where Debian puts it, started confined
// (SECURITY.md, "Browser").
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace levin::tools {

namespace web {
class DevTools;
class Page;
}  // namespace web

// What to install where there is none.
inline constexpr const char* kBrowserPackage = "chromium";

// Absolute path: LEVIN_BROWSER of the environment, which must lie below /usr to be seen in the
// sandbox, else where Debian puts it. kNotFound with the places that were looked at and the package to install.
Result<std::string> find_browser();

// One thread.
class WebBrowser {
 public:
  // Errors: kNotFound as find_browser(), kUnsupported when it can't be confined, kIo when it does
  // not start, with its last words.
  static Result<std::unique_ptr<WebBrowser>> start();
  ~WebBrowser();
  WebBrowser(const WebBrowser&) = delete;
  WebBrowser& operator=(const WebBrowser&) = delete;

  // "Chrome/156.0.8078.79"
  const std::string& version() const;

  // A new tab for the page at `url`, on this machine. A browser that has died, or in which a page
  // hung, is started anew first. Errors: as start(); kInvalidArgument for a URL elsewhere.
  Result<std::unique_ptr<web::Page>> open_page(const std::string& url);

  // Gives a page back, closed. Pages must not outlive the browser or the next open_page().
  void close_page(std::unique_ptr<web::Page> page);

  // PNG, base64, side by side; by a page of our own. Errors: kIo.
  Result<std::string> filmstrip(const std::string& shots_json, int height);

 private:
  struct Parts;
  explicit WebBrowser(std::unique_ptr<Parts> parts);
  Result<void> launch();

  std::unique_ptr<Parts> parts_;
};

}  // namespace levin::tools
