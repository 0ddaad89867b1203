// web_check: the model's own look at the app that it builds.
#include "tools/arguments.h"
#include "tools/entries.h"
#include "tools/file_errors.h"
#include "tools/web/http_client.h"
#include "tools/web_check.h"

namespace levin::tools {
namespace {

using nlohmann::json;

// One check with what the model asks for, and the errors that no app should have.
Result<WebSpec> spec_of(const json& value) {
  json check = {{"name", "asked"}, {"expect", json::array()}};
  if (value.contains("size")) check["size"] = value["size"];
  if (value.contains("actions")) check["do"] = value["actions"];
  if (value.contains("expect") && value["expect"].is_array()) check["expect"] = value["expect"];
  check["expect"].push_back({{"no_surprises", true}});
  const json quiet = {{"name", "no errors"},
                      {"keep", true},
                      {"size", check.value("size", json::array({1280, 800}))},
                      {"expect", json::array({{{"no_console_errors", true}}, {{"no_failed_requests", true}}})}};
  const json spec = {{"name", "web_check"}, {"checks", json::array({check, quiet})}};
  return parse_web_spec(spec.dump(), "web_check");
}

ToolResult run_web_check(const json& value, ToolContext& context) {
  Arguments arguments("web_check", kWebCheckExample, value);
  const std::string folder = arguments.text_or("dir", ".");
  if (arguments.failed()) return failure(arguments.problem());
  const Result<WebSpec> spec = spec_of(value);
  if (!spec) {
    arguments.refuse(spec.error().message());
    return failure(arguments.problem());
  }
  WebCheckOptions options;
  options.interrupted = context.interrupted;
  options.target = arguments.text_or("url", "");
  if (arguments.failed()) return failure(arguments.problem());
  if (options.target.empty()) {
    // The place is looked up in the workspace: nothing else can be served.
    const Result<Place> place = context.workspace.find(folder);
    if (!place) return file_failure(context.workspace, folder, place.error());
    options.target = context.workspace.root() + "/" + place->path;
  } else if (value.contains("dir")) {
    return failure("E_ARGS web_check: dir or url, not both.");
  } else if (!web::parse_loopback_url(options.target)) {
    return failure("E_ARGS web_check: url " + options.target +
                   ": only apps on this machine can be opened, as http://127.0.0.1:PORT/.");
  }
  if (!context.browser) return failure("E_DENIED web_check: there is no browser in this run.");
  const Result<WebBrowser*> browser = context.browser();
  if (!browser) return failure("E_NO_BROWSER " + browser.error().message() + ". Go on without web_check.");
  const Result<WebReport> report = check_web_app(**browser, *spec, options);
  if (!report) return failure("E_ARGS web_check: " + report.error().message());
  ToolResult result;
  result.text = to_text(*report);
  if (report->passed() && !report->outline.empty()) result.text += "\npage: " + report->outline;
  return result;
}

}  // namespace

ToolEntry web_check_tool() {
  return {"web_check", std::string(kWebCheckExample), run_web_check};
}

}  // namespace levin::tools
