// The checker against small pages: each verb, each kind of accident, and that nothing varies.
#include <signal.h>
#include <unistd.h>

#include "tests/tools/web/web_fixture.h"
#include "tools/entries.h"
#include "tools/web_server.h"
#include "tools/workspace.h"

namespace levin::tools {
namespace {

using WebCheckTest = WebTest;

constexpr const char* kQuiet =
    R"([{"name":"quiet","expect":[{"no_console_errors":true},{"no_failed_requests":true},{"no_surprises":true}]}])";

std::string page(const std::string& body) {
  return "<!doctype html><meta charset=utf-8><title>t</title><body>" + body;
}

TEST_F(WebCheckTest, ClicksTypesAndReads) {
  NEEDS_BROWSER();
  put("index.html", page(R"html(<h1>Names</h1><input placeholder="Name">
      <button onclick="add()">Add</button><ul></ul>
      <script src="app.js"></script>)html"));
  put("app.js", R"(function add() {
      const item = document.createElement('li');
      item.textContent = document.querySelector('input').value;
      document.querySelector('ul').append(item);
    })");
  const WebReport report = check(R"([
    {"name":"adds","do":[{"type":"Ada L.","into":{"role":"textbox","name":"name"}},
                         {"click":{"role":"button","name":"^add$"}}],
     "expect":[{"count":"li","is":1},{"text":"li","matches":"^Ada L\\.$"},{"changes":true},
               {"js":"document.title","is":"t"},{"no_console_errors":true}]},
    {"name":"is fresh again","expect":[{"count":"li","is":0}]},
    {"name":"misses","do":[{"click":{"role":"button","name":"remove"}}],"expect":[{"count":"li","is":0}]},
    {"name":"differs","expect":[{"text":"h1","matches":"Numbers"}]}])");
  ASSERT_EQ(report.outcomes.size(), 4u);
  EXPECT_EQ(report.outcomes[0].message, "");
  EXPECT_EQ(report.outcomes[1].message, "");
  EXPECT_EQ(report.outcomes[2].message, "click button \"remove\": not found");
  EXPECT_EQ(report.outcomes[3].message, "expected h1 to match /Numbers/, found \"Names\"");
  EXPECT_EQ(report.num_failed(), 2u);
}

TEST_F(WebCheckTest, TellsErrorsWithTheirPlace) {
  NEEDS_BROWSER();
  put("index.html", page("<script src=app.js></script><img src=missing.png>"));
  put("app.js", "let x = 1;\nnothing.here();\n");
  const WebReport report = check(kQuiet);
  EXPECT_EQ(report.console_errors,
            std::vector<std::string>{"ReferenceError: nothing is not defined (app.js:2)"});
  EXPECT_EQ(report.failed_requests, std::vector<std::string>{"missing.png: 404"});
  EXPECT_EQ(report.outcomes[0].message,
            "console: ReferenceError: nothing is not defined (app.js:2)");
}

TEST_F(WebCheckTest, ErrorsInTimersCountToo) {
  NEEDS_BROWSER();
  put("index.html", page("<script>setTimeout(() => { late(); }, 500)</script>"));
  const WebReport report = check(
      R"([{"name":"later","do":[{"wait":1000}],"expect":[{"no_console_errors":true}]}])");
  EXPECT_EQ(report.outcomes[0].message,
            "console: ReferenceError: late is not defined (index.html:1)");
}

TEST_F(WebCheckTest, ThePageHasNoNetwork) {
  NEEDS_BROWSER();
  put("index.html", page(R"(<script src="https://cdn.example.org/x.js"></script><script>
      fetch('http://127.0.0.1:1/').catch(() => { document.title = 'blocked'; });
      new WebSocket('ws://127.0.0.1:1/');</script>)"));
  const WebReport report = check(R"([{"name":"blocked","do":[{"wait":100}],
      "expect":[{"js":"document.title","is":"blocked"},{"no_failed_requests":true}]}])");
  EXPECT_NE(report.outcomes[0].message.find("cdn.example.org"), std::string::npos)
      << report.outcomes[0].message;
}

TEST_F(WebCheckTest, TimeIsSteppedAndExact) {
  NEEDS_BROWSER();
  put("index.html", page(R"(<p></p><script>
      const begin = performance.now(), day = Date.now();
      let ticks = 0, frames = 0;
      setInterval(() => { ticks += 1; show(); }, 100);
      (function frame() { frames += 1; requestAnimationFrame(frame); })();
      function show() {
        document.querySelector('p').textContent =
            [ticks, frames, performance.now() - begin, Date.now() - day].join();
      }</script>)"));
  const WebReport report = check(R"([{"name":"an hour","do":[{"wait":1000}],
      "expect":[{"text":"p","matches":"^10,60,1000,1000$"}]}])");
  EXPECT_EQ(report.outcomes[0].message, "");
}

TEST_F(WebCheckTest, ChanceIsSeeded) {
  NEEDS_BROWSER();
  put("index.html", page("<p></p><script>document.querySelector('p').textContent = Math.random() + "
                         "'|' + crypto.randomUUID();</script>"));
  const std::string checks = R"([{"name":"a","seed":1,"expect":[{"text":"p","matches":"x"}]},
      {"name":"b","seed":1,"expect":[{"text":"p","matches":"x"}]},
      {"name":"c","seed":2,"expect":[{"text":"p","matches":"x"}]}])";
  const WebReport report = check(checks);
  EXPECT_EQ(report.outcomes[0].message, report.outcomes[1].message);
  EXPECT_NE(report.outcomes[0].message, report.outcomes[2].message);
}

TEST_F(WebCheckTest, CanvasIsSeenBlankMovingAndAtRest) {
  NEEDS_BROWSER();
  put("index.html", page(R"(<canvas width=100 height=50></canvas><script>
      const context = document.querySelector('canvas').getContext('2d');
      let x = 0;
      const timer = setInterval(() => {
        context.clearRect(0, 0, 100, 50);
        context.fillRect(x, 10, 10, 10);
        if (++x > 80) clearInterval(timer);
      }, 50);</script>)"));
  const WebReport report = check(R"([
    {"name":"animates","expect":[{"canvas":"nonblank"},{"canvas":"animating","within_ms":2000}]},
    {"name":"stops","do":[{"wait":5000}],"expect":[{"canvas":"stops"}]},
    {"name":"animates for ever","do":[{"wait":5000}],"expect":[{"canvas":"animating"}]}])");
  EXPECT_EQ(report.outcomes[0].message, "");
  EXPECT_EQ(report.outcomes[1].message, "");
  EXPECT_NE(report.outcomes[2].message.find("0 of 10"), std::string::npos);
}

TEST_F(WebCheckTest, AHangEndsInAReport) {
  NEEDS_BROWSER();
  put("index.html", page("<button onclick='for (;;) {}'>Hang</button>"));
  const WebReport report = check(R"([
    {"name":"hangs","do":[{"click":{"role":"button"}}],"expect":[{"fits":true}]},
    {"name":"after","expect":[{"fits":true}]}])");
  EXPECT_NE(report.outcomes[0].message.find("hang: the page did not answer"), std::string::npos)
      << report.outcomes[0].message;
  EXPECT_NE(report.outcomes[1].message.find("not tried: hang"), std::string::npos);
  // The next app finds a working browser.
  put("index.html", page("<p>fine</p>"));
  EXPECT_TRUE(check(kQuiet).passed());
}

// Of the browser's sandbox: the only child that this program has.
pid_t only_child() {
  std::ifstream list("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t child = -1;
  list >> child;
  return child;
}

TEST_F(WebCheckTest, ADeadBrowserEndsInAReport) {
  NEEDS_BROWSER();
  put("index.html", page("<p>fine</p>"));
  const auto spec = parse_web_spec(
      R"json({"name":"t","checks":[{"name":"lives","expect":[{"fits":true}]},
         {"name":"dies","do":[{"js":"new Promise(() => {})"}],"expect":[{"fits":true}]},{"name":"after","expect":[{"fits":true}]}]})json",
      "t.json");
  ASSERT_TRUE(spec);
  WebCheckOptions options;
  options.target = app();
  options.on_outcome = [](const WebOutcome& outcome) {
    if (outcome.name == "lives") ::kill(only_child(), SIGKILL);
  };
  ASSERT_GT(only_child(), 1);
  const Result<WebReport> report = check_web_app(*browser(), *spec, options);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->outcomes[0].passed);
  EXPECT_NE(report->outcomes[1].message.find("crash: the browser ended"), std::string::npos)
      << report->outcomes[1].message;
  EXPECT_NE(report->outcomes[2].message.find("not tried: crash"), std::string::npos);
  EXPECT_TRUE(check(kQuiet).passed());
}

TEST_F(WebCheckTest, DialogsDownloadsPopupsAndLeavingAreNoted) {
  NEEDS_BROWSER();
  put("file.bin", "x");
  put("index.html", page(R"(<a id=d download href="file.bin">d</a><script>
      alert('hello');
      if (confirm('sure?')) document.title = 'confirmed';
      setTimeout(() => document.querySelector('#d').click(), 100);
      setTimeout(() => window.open('http://example.org/'), 200);
      setTimeout(() => { location.href = 'http://example.org/away'; }, 300);</script>)"));
  const WebReport report = check(R"([{"name":"all","do":[{"wait":1000},{"wait":1000}],
      "expect":[{"js":"document.title","is":"t"},{"no_surprises":true}]}])");
  std::string all;
  for (const std::string& each : report.surprises) all += each + "\n";
  EXPECT_NE(all.find("dialog: alert \"hello\""), std::string::npos) << all;
  EXPECT_NE(all.find("dialog: confirm \"sure?\""), std::string::npos) << all;
  EXPECT_NE(all.find("navigation: to http://example.org/away, refused"), std::string::npos) << all;
  EXPECT_NE(all.find("download: file.bin"), std::string::npos) << all;
  EXPECT_NE(all.find("popup"), std::string::npos) << all;
}

TEST_F(WebCheckTest, AFloodOfTheConsoleIsCut) {
  NEEDS_BROWSER();
  put("index.html", page("<script>const line = 'x'.repeat(1000);"
                         "for (let i = 0; i < 100000; i++) console.log(line);</script><p>there</p>"));
  const WebReport report = check(
      R"([{"name":"still works","expect":[{"text":"p","matches":"there"},{"no_surprises":true}]}])");
  EXPECT_NE(report.outcomes[0].message.find("flood"), std::string::npos)
      << report.outcomes[0].message;
}

TEST_F(WebCheckTest, TheSameAppGivesTheSameReport) {
  NEEDS_BROWSER();
  put("index.html", page("<h1>Dice</h1><button onclick='this.nextSibling.textContent = "
                         "Math.random()'>Roll</button><p></p><script>missing()</script>"));
  const std::string checks =
      R"([{"name":"rolls","do":[{"click":"button"}],"expect":[{"text":"p","matches":"none"}]}])";
  check(checks);
  const std::string first = text_of(report_folder() + "/report.json");
  check(checks);
  EXPECT_EQ(first, text_of(report_folder() + "/report.json"));
  EXPECT_NE(first.find("0."), std::string::npos);
  EXPECT_EQ(text_of(report_folder() + "/01-rolls.png").substr(1, 3), "PNG");
}

TEST_F(WebCheckTest, TheDerivedSpecificationFindsADeadPage) {
  NEEDS_BROWSER();
  const WebSpec spec = derive_web_spec("A counter with a button");
  put("index.html", page("<h1>Counter</h1><button>Add</button><p>0</p>"));
  const WebReport dead = check(spec);
  ASSERT_EQ(dead.num_failed(), 1u) << to_text(dead);
  EXPECT_NE(to_text(dead).find("failed: controls react: none of 1 controls does anything"),
            std::string::npos);
  put("index.html", page("<h1>Counter</h1><button onclick='n.textContent++'>Add</button><p id=n>0</p>"));
  const WebReport alive = check(spec);
  EXPECT_TRUE(alive.passed()) << to_text(alive);
}

ToolResult call_web_check(const std::string& app, const std::string& arguments, WebBrowser* browser) {
  Result<Workspace> workspace = Workspace::open(std::filesystem::canonical(app).string());
  EXPECT_TRUE(workspace);
  ToolContext context{*workspace, nullptr, nullptr, nullptr, ""};
  if (browser != nullptr) context.browser = [=]() -> Result<WebBrowser*> { return browser; };
  return Registry({web_check_tool()}).call("web_check", arguments, context);
}

TEST_F(WebCheckTest, TheToolTellsTheModelWhatFailed) {
  NEEDS_BROWSER();
  put("index.html", page("<h1>Hi</h1><script>broken()</script>"));
  const ToolResult failed = call_web_check(
      app(), R"({"expect":[{"text":"h1","matches":"^Hi$"}]})", browser().get());
  EXPECT_FALSE(failed.failed) << failed.text;
  EXPECT_NE(failed.text.find("FAIL 1 of 2"), std::string::npos) << failed.text;
  EXPECT_NE(failed.text.find("broken is not defined"), std::string::npos) << failed.text;
  put("index.html", page("<h1>Hi</h1>"));
  const ToolResult fine = call_web_check(app(), "{}", browser().get());
  EXPECT_TRUE(fine.text.starts_with("PASS 2 of 2")) << fine.text;
  EXPECT_NE(fine.text.find("page: h1 \"Hi\""), std::string::npos) << fine.text;
}

TEST_F(WebCheckTest, TheToolOpensAServerOfThisMachine) {
  NEEDS_BROWSER();
  put("index.html", page("<h1>Served</h1>"));
  const auto server = WebServer::start(app());
  ASSERT_TRUE(server);
  const nlohmann::json arguments = {{"url", (*server)->url()},
                                    {"expect", {{{"text", "h1"}, {"matches", "^Served$"}}}}};
  const ToolResult result = call_web_check(app(), arguments.dump(), browser().get());
  EXPECT_TRUE(result.text.starts_with("PASS 2 of 2")) << result.text;
}

TEST_F(WebCheckTest, TheToolRefusesWhatItCanNotDo) {
  put("index.html", page("<h1>Hi</h1>"));
  for (const char* url : {"http://example.org/", "http://127.0.0.1.example.org/", "file:///etc/passwd"}) {
    const std::string refused = call_web_check(app(), nlohmann::json{{"url", url}}.dump(), nullptr).text;
    EXPECT_TRUE(refused.find("only apps on this machine") != std::string::npos) << refused;
  }
  EXPECT_TRUE(call_web_check(app(), "{}", nullptr).text.starts_with("E_DENIED web_check"));
  EXPECT_TRUE(call_web_check(app(), R"({"dir":"../.."})", nullptr).failed);
  EXPECT_TRUE(call_web_check(app(), R"({"actions":[{"jump":1}]})", nullptr).text.starts_with("E_ARGS web_check"));
}

}  // namespace
}  // namespace levin::tools
