// What the browser tells about a page: requests, errors, and things that nobody asked for.
#include "tools/web/base64.h"
#include "tools/web/page.h"

namespace levin::tools::web {
namespace {

constexpr size_t kEntryBytesMax = 300;

// Headers that describe the connection to us, not the thing.
bool is_hop_header(const std::string& name) {
  return name == "Connection" || name == "Transfer-Encoding" || name == "Keep-Alive" ||
         name == "Content-Length" || name == "Content-Encoding";
}

std::string location(const Json& details, const std::function<std::string(const std::string&)>& shorten) {
  std::string url = details.value("url", "");
  int64_t line = details.value("lineNumber", int64_t{0});
  if (details.contains("stackTrace")) {
    // The clock calls the page's callbacks: its own frames have no URL.
    for (const Json& frame : details["stackTrace"].value("callFrames", Json::array())) {
      if (frame.value("url", "").empty()) continue;
      url = frame.value("url", "");
      line = frame.value("lineNumber", int64_t{0});
      break;
    }
  }
  if (url.empty()) return "";
  return " (" + shorten(url) + ":" + std::to_string(line + 1) + ")";
}

}  // namespace

std::string Page::short_url(const std::string& url) const {
  const std::string folder = "http://" + base_.host + base_.target;
  if (url.starts_with(folder)) {
    std::string name = url.substr(folder.size());
    return name.empty() ? "index.html" : name;
  }
  return url.substr(0, kEntryBytesMax);
}

std::string Page::shortened(std::string text) const {
  const std::string folder = "http://" + base_.host + base_.target;
  for (size_t at = text.find(folder); at != std::string::npos; at = text.find(folder)) {
    text.erase(at, folder.size());
  }
  if (text.size() > kEntryBytesMax) text = text.substr(0, kEntryBytesMax) + "...";
  return text;
}

void Page::on_event(const std::string& method, const Json& params) {
  if (method == "Fetch.requestPaused") {
    answer_request(params);
  } else if (method == "Page.loadEventFired") {
    loaded_ = true;
  } else if (method == "Page.frameNavigated") {
    if (params["frame"].value("id", "") == main_frame_) world_ = 0;
  } else if (method == "Runtime.executionContextsCleared") {
    world_ = 0;
  } else if (method == "Page.javascriptDialogOpening") {
    const bool accept = params.value("type", "") == "beforeunload";
    tools_.post(session_, "Page.handleJavaScriptDialog", {{"accept", accept}});
    log_.add(log_.surprises, "dialog: " + params.value("type", "") + " \"" +
                                 shortened(params.value("message", "")) + "\"");
  } else if (method == "Runtime.exceptionThrown") {
    note_exception(params["exceptionDetails"]);
  } else if (method == "Runtime.consoleAPICalled") {
    note_console(params);
  } else if (method == "Log.entryAdded") {
    note_log(params["entry"]);
  } else if (method == "Inspector.targetCrashed") {
    broken_ = true;
    log_.add(log_.surprises, "crash: the page's process ended");
  } else if (method == "Page.downloadWillBegin" || method == "Browser.downloadWillBegin") {
    log_.add(log_.surprises, "download: " + shortened(params.value("suggestedFilename", "")));
  }
}

void Page::note_exception(const Json& details) {
  std::string words = details.value("text", "");
  if (details.contains("exception")) {
    const Json& exception = details["exception"];
    std::string value = exception.value("description", "");
    if (value.empty() && exception.contains("value")) value = exception["value"].dump();
    if (!value.empty()) words = value.substr(0, value.find('\n'));
  }
  const auto shorten = [this](const std::string& url) { return short_url(url); };
  log_.add(log_.console_errors, shortened(words) + location(details, shorten));
}

void Page::note_console(const Json& params) {
  const std::string type = params.value("type", "");
  std::string text;
  for (const Json& argument : params.value("args", Json::array())) {
    const Json value = argument.value("value", Json());
    const std::string word = value.is_string() ? value.get<std::string>()
                             : value.is_null() ? argument.value("description", "null")
                                               : value.dump();
    text += (text.empty() ? "" : " ") + word;
    if (text.size() > kEntryBytesMax) break;
  }
  if (text.starts_with("levin: further console output")) {
    log_.add(log_.surprises, "flood: the page printed more than the console holds");
  } else if (type == "error" || type == "assert") {
    const auto shorten = [this](const std::string& url) { return short_url(url); };
    log_.add(log_.console_errors, shortened("console." + type + ": " + text) + location(params, shorten));
  }
}

void Page::note_log(const Json& entry) {
  if (entry.value("level", "") != "error") return;
  // Requests are noted where they are answered.
  if (entry.value("source", "") == "network") return;
  const std::string text = shortened(entry.value("text", ""));
  log_.add(log_.console_errors, text);
  if (text.find("Content Security Policy") != std::string::npos) {
    log_.add(log_.failed_requests, "refused by policy: " + text);
  }
}

void Page::refuse_request(const Json& params, const std::string& why) {
  tools_.post(session_, "Fetch.failRequest",
              {{"requestId", params["requestId"]}, {"errorReason", why}});
}

void Page::answer_request(const Json& params) {
  const Json& asked = params["request"];
  const std::string url = asked.value("url", "");
  const std::string ours = "http://" + base_.host + "/";
  const bool is_page = params.value("resourceType", "") == "Document" &&
                       params.value("frameId", "") == main_frame_;
  if (!url.starts_with(ours)) {
    if (is_page) {
      log_.add(log_.surprises, "navigation: to " + shortened(url) + ", refused");
      return refuse_request(params, "Aborted");
    }
    log_.add(log_.failed_requests, "blocked: " + shortened(url));
    return refuse_request(params, "BlockedByClient");
  }
  HttpRequest request;
  request.method = asked.value("method", "GET");
  request.port = base_.port;
  request.host = base_.host;
  request.target = url.substr(ours.size() - 1, url.find('#') - (ours.size() - 1));
  const Json asked_headers = asked.value("headers", Json::object());
  for (const auto& [name, value] : asked_headers.items()) {
    // Bodies come plain, since their encoding is not passed on.
    if (name == "Accept-Encoding" || !value.is_string()) continue;
    request.headers.emplace_back(name, value.get<std::string>());
  }
  request.body = asked.value("postData", "");
  Result<HttpAnswer> answer = http_fetch(request);
  if (!answer) {
    log_.add(log_.failed_requests, short_url(url) + ": no answer");
    return refuse_request(params, "ConnectionFailed");
  }
  const bool is_icon = url.ends_with("/favicon.ico");
  if (answer->status >= 400 && !is_icon) {
    log_.add(log_.failed_requests, short_url(url) + ": " + std::to_string(answer->status));
  }
  Json headers = Json::array();
  for (const auto& [name, value] : answer->headers) {
    if (!is_hop_header(name)) headers.push_back({{"name", name}, {"value", value}});
  }
  tools_.post(session_, "Fetch.fulfillRequest",
              {{"requestId", params["requestId"]},
               {"responseCode", is_icon && answer->status >= 400 ? 204 : answer->status},
               {"responseHeaders", headers},
               {"body", base64(answer->body)}});
}

}  // namespace levin::tools::web
