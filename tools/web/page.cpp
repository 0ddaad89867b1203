#include "tools/web/page.h"

#include <random>

namespace levin::tools::web {

extern const char kClockJs[];
extern const char kProbeJs[];
extern const char kProbeFormJs[];
extern const char kProbeMazeJs[];
extern const char kProbeTypingJs[];

namespace {

// Long, so that a machine with other work does not make an honest page look hung.
constexpr auto kLoadMax = std::chrono::seconds(20);
constexpr auto kPictureMax = std::chrono::seconds(40);  // Needs several processes of the browser.
constexpr auto kScriptMax = std::chrono::seconds(12);
constexpr int64_t kEpochMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z: where stepped time begins.
constexpr const char* kFloodMark = "levin: further console output is dropped";

std::string random_name() {
  std::random_device device;
  std::string name = "_";
  for (int i = 0; i < 16; ++i) name += static_cast<char>('a' + device() % 26);
  return name;
}

}  // namespace

Page::Page(DevTools& tools, std::string url, LoopbackUrl base)
    : tools_(tools), url_(std::move(url)), base_(std::move(base)), clock_key_(random_name()) {}

Result<std::unique_ptr<Page>> Page::open(DevTools& tools, const std::string& url) {
  TRY_ASSIGN(LoopbackUrl base, parse_loopback_url(url));
  // What belongs to the page's server is found by the folder of the URL.
  base.target = base.target.substr(0, base.target.find_first_of("?#"));
  base.target = base.target.substr(0, base.target.rfind('/') + 1);
  std::unique_ptr<Page> page(new Page(tools, url, std::move(base)));
  TRY_ASSIGN(const Json target, tools.call("", "Target.createTarget", {{"url", "about:blank"}}));
  page->target_id_ = target.value("targetId", "");
  TRY_ASSIGN(const Json attached,
             tools.call("", "Target.attachToTarget",
                        {{"targetId", page->target_id_}, {"flatten", true}}));
  page->session_ = attached.value("sessionId", "");
  return page;
}

Page::~Page() {
  if (!target_id_.empty()) tools_.post("", "Target.closeTarget", {{"targetId", target_id_}});
}

Result<void> Page::prepare() {
  for (const char* domain : {"Page.enable", "Runtime.enable", "Log.enable", "Fetch.enable"}) {
    tools_.post(session_, domain);
  }
  Result<Json> tree = tools_.call(session_, "Page.getFrameTree");
  if (!tree) return broken(std::move(tree).error(), "opening the page");
  main_frame_ = (*tree)["frameTree"]["frame"].value("id", "");
  return resize(size_);
}

Error Page::broken(Error error, const std::string& doing) {
  if (!broken_) {
    broken_ = true;
    if (tools_.is_gone()) {
      log_.add(log_.surprises, "crash: the browser ended while " + doing);
    } else if (error.code() == ErrorCode::kLimit) {
      log_.add(log_.surprises, "hang: the page did not answer for seconds while " + doing);
      tools_.post(session_, "Runtime.terminateExecution");
    }
  }
  return std::move(error).context(doing);
}

Result<void> Page::load(int seed) {
  if (main_frame_.empty()) TRY(prepare());
  if (!script_id_.empty()) {
    tools_.post(session_, "Page.removeScriptToEvaluateOnNewDocument", {{"identifier", script_id_}});
  }
  const Json config = {{"key", clock_key_}, {"seed", seed}, {"epoch_ms", kEpochMs}, {"flood_mark", kFloodMark}};
  const std::string script = "(" + std::string(kClockJs) + ")(" + config.dump() + ")";
  Result<Json> added =
      tools_.call(session_, "Page.addScriptToEvaluateOnNewDocument", {{"source", script}});
  if (!added) return broken(std::move(added).error(), "opening the page");
  script_id_ = added->value("identifier", "");
  seed_ = seed;
  loaded_ = false;
  loading_ = true;
  world_ = 0;
  // A fresh page also in what it has stored.
  tools_.post(session_, "Storage.clearDataForOrigin",
              {{"origin", "http://" + base_.host}, {"storageTypes", "all"}});
  Result<Json> navigated = tools_.call(session_, "Page.navigate", {{"url", url_}}, kLoadMax);
  if (!navigated) return broken(std::move(navigated).error(), "loading the page");
  if (navigated->contains("errorText")) {
    loading_ = false;
    return Error(ErrorCode::kIo, "loading the page: " + navigated->value("errorText", ""));
  }
  const Result<void> waited =
      tools_.wait_until([&] { return loaded_ || broken_; }, kLoadMax);
  loading_ = false;
  if (!waited) return broken(waited.error(), "loading the page");
  if (broken_) return Error(ErrorCode::kIo, "the page crashed while loading");
  const Result<Advanced> settled = advance(0);
  if (!settled) return settled.error();
  return {};
}

Result<void> Page::resize(PageSize size) {
  const Result<Json> set = tools_.call(session_, "Emulation.setDeviceMetricsOverride",
                                       {{"width", size.width},
                                        {"height", size.height},
                                        {"deviceScaleFactor", 1},
                                        {"mobile", false}});
  if (!set) return broken(set.error(), "setting the size");
  size_ = size;
  return {};
}

Result<void> Page::resize_and_tell(PageSize size) {
  if (size == size_) return {};
  // The event comes with one of the browser's own frames, at a real time; the page's listeners have
  // run when this one does. In the probe's world timers are real.
  TRY(ask("(globalThis.resized = new Promise(done => {"
          " addEventListener('resize', done, {once: true}); setTimeout(done, 5000); }), 0)"));
  TRY(resize(size));
  TRY(ask("globalThis.resized.then(() => 0)"));
  return {};
}

Result<Json> Page::evaluate(const std::string& expression, int context,
                            std::chrono::milliseconds limit) {
  if (broken_) return Error(ErrorCode::kIo, "the page is broken");
  Json params = {{"expression", expression}, {"awaitPromise", true}, {"returnByValue", true}};
  if (context != 0) params["contextId"] = context;
  Result<Json> answer = tools_.call(session_, "Runtime.evaluate", params, limit);
  if (!answer) {
    const bool is_refused = answer.error().code() == ErrorCode::kInvalidArgument;
    if (is_refused && !tools_.is_gone()) return answer;
    return broken(std::move(answer).error(), "running a script");
  }
  if (answer->contains("exceptionDetails")) {
    const Json& details = (*answer)["exceptionDetails"];
    std::string words = details.value("text", "");
    if (details.contains("exception")) words = details["exception"].value("description", words);
    return Error(ErrorCode::kInvalidArgument, shortened(words.substr(0, words.find('\n'))));
  }
  return (*answer)["result"].value("value", Json());
}

Result<void> Page::enter_world() {
  if (world_ != 0) return {};
  Result<Json> world = tools_.call(session_, "Page.createIsolatedWorld",
                                   {{"frameId", main_frame_}, {"worldName", "levin"}}, kScriptMax);
  if (!world) return broken(std::move(world).error(), "looking at the page");
  world_ = world->value("executionContextId", 0);
  for (const char* script : {kProbeJs, kProbeFormJs, kProbeMazeJs, kProbeTypingJs}) {
    const Result<Json> installed = evaluate(script, world_, kScriptMax);
    if (!installed) return installed.error();
  }
  return {};
}

Result<Json> Page::ask(const std::string& expression) {
  TRY(enter_world());
  return evaluate(expression, world_, kScriptMax);
}

Result<Json> Page::run(const std::string& expression) { return evaluate(expression, 0, kScriptMax); }

Result<Advanced> Page::advance(double ms) {
  const std::string clock = "window[" + Json(clock_key_).dump() + "]";
  TRY_ASSIGN(const Json answer,
             evaluate(clock + ".advance(" + std::to_string(ms) + ")", 0, kLoadMax));
  Advanced advanced;
  advanced.now_ms = answer.value("now", 0.0);
  advanced.longest_ms = answer.value("longest_ms", 0.0);
  advanced.busy = answer.value("busy", false);
  advanced.pending = answer.value("pending", 0);
  return advanced;
}

Result<std::string> Page::screenshot(const Json& clip) {
  Json params = {{"format", "png"}, {"optimizeForSpeed", true}};
  if (!clip.is_null()) {
    params["clip"] = clip;
    params["clip"]["scale"] = 1;
    params["captureBeyondViewport"] = true;
  }
  Result<Json> shot = tools_.call(session_, "Page.captureScreenshot", params, kPictureMax);
  if (!shot) return broken(std::move(shot).error(), "taking a screenshot");
  return shot->value("data", "");
}

}  // namespace levin::tools::web
