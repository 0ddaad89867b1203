// One page in a tab of its own: loaded with seeded chance and stepped time (clock.js), looked at
// through an isolated world (probe.js), used by real mouse and key events. The page has no network:
// each of its requests is paused, and only those for its own server are answered.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/web/devtools.h"
#include "tools/web/http_client.h"
#include "tools/web/page_log.h"

namespace levin::tools::web {

struct PageSize {
  int width = 1280;
  int height = 800;
  bool operator==(const PageSize&) const = default;
};

struct Advanced {
  double now_ms = 0;      // Stepped time since the page was loaded.
  double longest_ms = 0;  // Real time of the longest callback.
  bool busy = false;      // Stopped early: the page keeps itself busy without end.
  int pending = 0;        // Timers and frames still waiting.
};

// An error of a member means that the page can't go on (crash, hang, the browser is gone); what
// happened is then in log().surprises. Expected misses ("not found") are results.
class Page {
 public:
  // `url` is on this machine. Errors: kInvalidArgument for another one, kIo.
  static Result<std::unique_ptr<Page>> open(DevTools& tools, const std::string& url);
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  // Loads the page anew: its time is 0, its chance begins with `seed`.
  Result<void> load(int seed);
  Result<void> resize(PageSize size);
  // Of a loaded page: returns when its own listeners of the event have run (or none came for 5 s).
  Result<void> resize_and_tell(PageSize size);
  PageSize size() const { return size_; }
  int seed() const { return seed_; }  // Of the last load().

  // Lets stepped time pass.
  Result<Advanced> advance(double ms);

  // `expression` in the isolated world, where `probe` is; in the page's own world. A script that
  // throws is an Error of kInvalidArgument with its words.
  Result<Json> ask(const std::string& expression);
  Result<Json> run(const std::string& expression);

  // Real events. The text is empty, or says why the target could not be used.
  Result<std::string> click(const Json& target);
  Result<std::string> hover(const Json& target);
  Result<void> key(const std::string& name);          // "a", "Enter", "ArrowLeft", "Control+a"
  Result<void> type(const std::string& text);  // One key event after the other, no time between.

  // PNG, base64. `clip` is {x, y, width, height} in page coordinates, or null for the view.
  Result<std::string> screenshot(const Json& clip = nullptr);

  PageLog& log() { return log_; }
  bool is_broken() const { return broken_; }  // Hung, crashed or gone: only to be closed.

  void on_event(const std::string& method, const Json& params);
  const std::string& session() const { return session_; }
  const std::string& target_id() const { return target_id_; }

 private:
  Page(DevTools& tools, std::string url, LoopbackUrl base);

  Result<void> prepare();
  Result<Json> evaluate(const std::string& expression, int context, std::chrono::milliseconds limit);
  Result<void> enter_world();
  Result<std::string> mouse(const Json& target, const std::vector<std::string>& events);
  // Marks the page as broken and notes why.
  Error broken(Error error, const std::string& doing);
  void answer_request(const Json& params);
  void refuse_request(const Json& params, const std::string& why);
  void note_exception(const Json& details);
  void note_console(const Json& params);
  void note_log(const Json& entry);
  // Without host and token.
  std::string short_url(const std::string& url) const;
  std::string shortened(std::string text) const;

  DevTools& tools_;
  std::string url_;
  LoopbackUrl base_;
  std::string clock_key_;
  std::string target_id_;
  std::string session_;
  std::string main_frame_;
  std::string script_id_;  // Of the installed clock.
  PageSize size_;
  int seed_ = 1;
  PageLog log_;
  int world_ = 0;  // Context of the isolated world; 0 when there is none (any more).
  bool loaded_ = false;
  bool broken_ = false;
  bool loading_ = false;  // load() is under way: navigating is no surprise.
};

}  // namespace levin::tools::web
