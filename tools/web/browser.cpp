#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "tools/web/browser_process.h"
#include "tools/web/devtools.h"
#include "tools/web/page.h"
#include "tools/web_browser.h"

namespace levin::tools {

namespace web {
extern const char kProbeJs[];
}

namespace {

using web::Json;

// The programs themselves: Debian's /usr/bin/chromium is a script that reads the user's settings.
constexpr std::array<const char*, 2> kPrograms = {"/usr/lib/chromium/chromium",
                                                  "/usr/lib/chromium/chromium-headless-shell"};
constexpr auto kStartMax = std::chrono::seconds(20);

}  // namespace

struct WebBrowser::Parts {
  std::string program;
  std::string version;
  // The pipes outlive what talks through them.
  std::optional<web::BrowserProcess> process;
  std::unique_ptr<web::DevTools> tools;
  web::Page* page = nullptr;    // The one that is open.
  std::string darkroom;         // Session of an empty page for work on pictures; "" when not open.
  bool suspicious = false;      // A page hung: its process may still burn.
};

Result<std::string> find_browser() {
  std::string places;
  if (const char* chosen = std::getenv("LEVIN_BROWSER"); chosen != nullptr && *chosen != '\0') {
    if (::access(chosen, X_OK) == 0) return std::string(chosen);
    return Error(ErrorCode::kNotFound, "no browser at " + std::string(chosen) +
                                           " (LEVIN_BROWSER); install the package " + kBrowserPackage);
  }
  for (const char* program : kPrograms) {
    if (::access(program, X_OK) == 0) return std::string(program);
    places += (places.empty() ? "" : ", ") + std::string(program);
  }
  return Error(ErrorCode::kNotFound, "no browser at " + places + "; install the package " +
                                         kBrowserPackage);
}

WebBrowser::WebBrowser(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
WebBrowser::~WebBrowser() = default;

const std::string& WebBrowser::version() const { return parts_->version; }

Result<std::unique_ptr<WebBrowser>> WebBrowser::start() {
  auto parts = std::make_unique<Parts>();
  TRY_ASSIGN(parts->program, find_browser());
  std::unique_ptr<WebBrowser> browser(new WebBrowser(std::move(parts)));
  TRY(browser->launch());
  return browser;
}

Result<void> WebBrowser::launch() {
  Parts& parts = *parts_;
  parts.tools.reset();
  parts.process.reset();
  parts.darkroom.clear();
  parts.suspicious = false;
  TRY_ASSIGN(web::BrowserProcess process, web::BrowserProcess::start(parts.program));
  parts.process.emplace(std::move(process));
  parts.tools = std::make_unique<web::DevTools>(parts.process->commands.get(),
                                                parts.process->answers.get());
  const Result<Json> version =
      parts.tools->call("", "Browser.getVersion", Json::object(), kStartMax);
  if (!version) {
    const std::string words = parts.process->last_words();
    return Error(ErrorCode::kIo, parts.program + " did not start: " + version.error().message() +
                                     (words.empty() ? "" : "; it said: " + words));
  }
  parts.version = version->value("product", "");
  parts.tools->set_listener([this](const std::string& session, const std::string& method,
                                   const Json& params) {
    web::Page* page = parts_->page;
    if (page == nullptr) return;
    if (method == "Target.targetCreated") {
      const Json info = params.value("targetInfo", Json::object());
      // A window that the page opened; it has no network either, and goes at once.
      if (info.value("openerId", "") != page->target_id()) return;
      page->log().add(page->log().surprises, "popup: the page opened a window");
      parts_->tools->post("", "Target.closeTarget", {{"targetId", info["targetId"]}});
    } else if (session == page->session() || method == "Browser.downloadWillBegin") {
      page->on_event(method, params);
    }
  });
  parts.tools->post("", "Target.setDiscoverTargets", {{"discover", true}});
  parts.tools->post("", "Browser.setDownloadBehavior",
                    {{"behavior", "deny"}, {"eventsEnabled", true}});
  return {};
}

Result<std::unique_ptr<web::Page>> WebBrowser::open_page(const std::string& url) {
  if (parts_->suspicious || parts_->tools->is_gone()) TRY(launch());
  Result<std::unique_ptr<web::Page>> page = web::Page::open(*parts_->tools, url);
  if (!page && parts_->tools->is_gone()) {
    // It died while nobody looked.
    TRY(launch());
    page = web::Page::open(*parts_->tools, url);
  }
  if (page) parts_->page = page->get();
  return page;
}

void WebBrowser::close_page(std::unique_ptr<web::Page> page) {
  if (page->is_broken()) parts_->suspicious = true;
  parts_->page = nullptr;
}

Result<std::string> WebBrowser::filmstrip(const std::string& shots_json, int height) {
  if (parts_->suspicious || parts_->tools->is_gone()) TRY(launch());
  web::DevTools& tools = *parts_->tools;
  if (parts_->darkroom.empty()) {
    TRY_ASSIGN(const Json target, tools.call("", "Target.createTarget", {{"url", "about:blank"}}));
    TRY_ASSIGN(const Json attached, tools.call("", "Target.attachToTarget",
                                               {{"targetId", target["targetId"]}, {"flatten", true}}));
    parts_->darkroom = attached.value("sessionId", "");
    TRY(tools.call(parts_->darkroom, "Runtime.evaluate", {{"expression", std::string(web::kProbeJs)}}));
  }
  TRY_ASSIGN(const Json made,
             tools.call(parts_->darkroom, "Runtime.evaluate",
                        {{"expression", "probe.filmstrip(" + shots_json + "," +
                                            std::to_string(height) + ")"},
                         {"awaitPromise", true},
                         {"returnByValue", true}}));
  if (made.contains("exceptionDetails")) {
    return Error(ErrorCode::kIo, "making a filmstrip: " + made["exceptionDetails"].value("text", ""));
  }
  return made["result"].value("value", "");
}

}  // namespace levin::tools
