// Opens a web app, uses it and tells what works: the specification in, the report out.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "tools/web_browser.h"
#include "tools/web_report.h"
#include "tools/web_spec.h"

namespace levin::tools {

struct WebCheckOptions {
  std::string target;         // A folder, a page in one, or http://127.0.0.1:PORT/...
  std::string report_folder;  // Gets report.json, screenshots and trace.jsonl; "": nothing is kept.
  std::function<void(const WebOutcome&)> on_outcome;  // After each check; may be empty.
  const std::atomic<bool>* interrupted = nullptr;
};

// A check that fails is an outcome. Errors: kNotFound and kInvalidArgument for the target, kIo for
// the report folder, those of WebBrowser, kInterrupted.
Result<WebReport> check_web_app(WebBrowser& browser, const WebSpec& spec,
                                const WebCheckOptions& options);

}  // namespace levin::tools
