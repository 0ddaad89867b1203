// levin webapp and web-check, end to end: rounds of repair, the report, exit codes.
#include "tests/cli/cli_fixture.h"
#include "tools/web_browser.h"

namespace levin::cli {
namespace {

constexpr const char* kSpec = R"json({"name":"counter","checks":[
  {"name":"counts","do":[{"click":{"role":"button","name":"add"}}],
   "expect":[{"text":"#n","matches":"^1$"},{"no_console_errors":true}]}]})json";

std::string page(const std::string& script) {
  return "<!doctype html>\n<html><head><title>Counter</title></head><body>\n"
         "<button>Add</button><p id=n>0</p>\n<script>\n" + script + "\n</script>\n</body></html>";
}

const std::string kRight =
    "document.querySelector('button').onclick = () => { n.textContent = Number(n.textContent) + 1; };";
const std::string kWrong = "document.querySelector('button').onclick = () => { n.textContent = missing; };";

class WebappTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    write_text(root_ / "counter.json", kSpec);
  }
  fs::path out() const { return root_ / "app"; }

  Told webapp(const std::vector<std::string>& replies, std::vector<std::string> more = {},
              test::ProgramOptions options = {}) {
    std::vector<std::string> arguments = {"webapp", "A counter", "--out", out().string(), "--accept",
                                          (root_ / "counter.json").string(), "--json", "--model",
                                          script(replies)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return read_told(levin(arguments, options), home_ / "state");
  }
};

// Skips loudly where no browser can be started.
#define NEEDS_BROWSER()                                                            \
  if (const auto started = tools::WebBrowser::start(); !started) GTEST_SKIP() << started.error().message()

TEST_F(WebappTest, ABrokenReplyIsRepairedByTheNext) {
  NEEDS_BROWSER();
  const Told run = webapp({page(kWrong), page(kRight)});
  EXPECT_EQ(run.program.exit_code, 0) << run.program.err;
  EXPECT_EQ(run.last().value("type", ""), "run.completed");
  const auto checks = run.items("item.completed", "web_check");
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0]["checks_failed"], 1);
  EXPECT_TRUE(has(checks[0]["report"], "ReferenceError: missing is not defined"));
  EXPECT_EQ(checks[1]["checks_failed"], 0);
  for (const auto& file : checks[1]["screenshots"]) EXPECT_TRUE(fs::exists(file.get<std::string>()));
  EXPECT_TRUE(has(read_text(out() / "index.html"), "Number(n.textContent)"));
  const Json report = Json::parse(read_text(root_ / "app-report/report.json"));
  EXPECT_EQ(report["passed"], true);
}

TEST_F(WebappTest, ChecksThatStillFailEndWithFive) {
  NEEDS_BROWSER();
  const Told run = webapp({page(kWrong), page(kWrong + "//2"), page(kWrong + "//3")}, {"--max-rounds", "2"});
  EXPECT_EQ(run.program.exit_code, 5) << run.program.err;
  EXPECT_EQ(run.reason(), "checks_failed");
  EXPECT_EQ(run.items("item.completed", "web_check").size(), 2u);
}

TEST_F(WebappTest, TheBestRoundIsKept) {
  NEEDS_BROWSER();
  write_text(root_ / "counter.json", R"json({"name":"two","checks":[
    {"name":"is there","expect":[{"text":"#n","matches":"0"}]},
    {"name":"counts","do":[{"click":"button"}],"expect":[{"text":"#n","matches":"^1$"}]}]})json");
  const Told run = webapp({page(kWrong), "<!doctype html>\n<html><body>nothing</body></html>"},
                          {"--max-rounds", "2"});
  EXPECT_EQ(run.program.exit_code, 5);
  EXPECT_TRUE(has(read_text(out() / "index.html"), "missing"));
}

// The request's turn, the first answer and the report are one prefix: nothing of it is prefilled twice.
TEST_F(WebappTest, TheReportIsAppendedToTheTalk) {
  NEEDS_BROWSER();
  const Told run = webapp({page(kWrong), page(kRight)});
  int64_t reused = 0, prefilled = 0, generated = 0;
  for (const Json& state : run.of_type("state")) {
    reused += state["reused"].get<int64_t>();
    prefilled += state["prefilled"].get<int64_t>();
    generated += state["generated"].get<int64_t>();
  }
  const std::vector<int> log = run.token_log();
  EXPECT_GT(prefilled, 0);
  EXPECT_EQ(run.of_type("state").size(), 2u);
  EXPECT_EQ(static_cast<int64_t>(log.size()), run.of_type("state").back()["reused"].get<int64_t>() +
                run.of_type("state").back()["prefilled"].get<int64_t>() +
                run.of_type("state").back()["generated"].get<int64_t>());
  EXPECT_TRUE(has(detokenize(log), "ReferenceError: missing is not defined"));
}

TEST_F(WebappTest, TheSameFailureTwiceGoesBackToTheBestRound) {
  NEEDS_BROWSER();
  const Told run = webapp({page(kWrong), page(kWrong), page(kRight)});
  EXPECT_EQ(run.program.exit_code, 0) << run.program.err;
  bool was_cut = false;
  for (const Json& record : run.records) was_cut = was_cut || record["type"] == "cut";
  EXPECT_TRUE(was_cut);
  EXPECT_TRUE(has(read_text(run.transcript), "Take another way"));
}

TEST_F(WebappTest, TheEmbeddedModelWritesBothDemos) {
  NEEDS_BROWSER();
  for (const auto& [name, prompt] :
       {std::pair{"typing", "Build a typing speed test that tracks WPM in real time."},
        std::pair{"maze", "Create a maze generator and pathfinding visualizer."}}) {
    test::ProgramOptions options;
    options.seconds_max = 240;
    const Told run = read_told(
        levin({"webapp", prompt, "--json", "--out", (root_ / name).string()}, options), home_ / "state");
    EXPECT_EQ(run.program.exit_code, 0) << name << ": " << run.program.err;
    const auto checks = run.items("item.completed", "web_check");
    ASSERT_FALSE(checks.empty()) << name;
    EXPECT_EQ(checks.back()["spec"], name);
    EXPECT_GE(checks.back()["checks_passed"], 10);
  }
}

TEST_F(WebappTest, WithoutABrowserTheAppIsStillWritten) {
  test::ProgramOptions options;
  options.environment = {{"LEVIN_BROWSER", "/nowhere/chromium"}};
  const Told run = webapp({page(kRight)}, {}, options);
  EXPECT_EQ(run.program.exit_code, 5);
  EXPECT_EQ(run.reason(), "no_browser");
  EXPECT_TRUE(has(run.last().value("message", ""), "install the package chromium")) << run.last().dump();
  EXPECT_TRUE(fs::exists(out() / "index.html"));
}

// The folder is no repository: its checkpoints lie in a private one.
TEST_F(WebappTest, UndoTakesTheAppAway) {
  write_text(out() / "notes.txt", "mine");
  test::ProgramOptions options;
  options.environment = {{"LEVIN_BROWSER", "/nowhere/chromium"}};
  const Told run = webapp({page(kRight)}, {}, options);
  ASSERT_TRUE(fs::exists(out() / "index.html"));
  const std::string id = run.events.front().value("id", "");
  test::ProgramOptions here;
  here.folder = out();
  EXPECT_TRUE(has(levin({"sessions"}, here).out, id));
  EXPECT_TRUE(has(levin({"diff", id}, here).out, "+<button>Add</button>"));
  const auto undone = levin({"undo"}, here);
  EXPECT_EQ(undone.exit_code, 0) << undone.err;
  EXPECT_FALSE(fs::exists(out() / "index.html"));
  EXPECT_EQ(read_text(out() / "notes.txt"), "mine");
  const auto back = levin({"rewind", id + "@1"}, here);
  EXPECT_EQ(back.exit_code, 0) << back.err;
  EXPECT_TRUE(fs::exists(out() / "index.html"));
}

// The browser of the desktop is a script that notes what it is given and ends levin.
TEST_F(WebappTest, OpenHandsTheAddressToTheDesktop) {
  const fs::path tools = root_ / "tools";
  write_text(tools / "xdg-open", "#!/bin/sh\necho \"$1\" > \"$0.got\"\nkill -INT $PPID\n");
  fs::permissions(tools / "xdg-open", fs::perms::owner_all);
  test::ProgramOptions options;
  options.environment = {{"LEVIN_BROWSER", "/nowhere/chromium"},
                         {"DISPLAY", ":9"},
                         {"PATH", tools.string() + ":/usr/bin:/bin"}};
  const Told run = webapp({page(kRight)}, {"--open"}, options);
  EXPECT_EQ(run.program.exit_code, 5) << run.program.err;
  const std::string url = read_text(tools / "xdg-open.got");
  EXPECT_TRUE(url.starts_with("http://127.0.0.1:")) << url;
  EXPECT_TRUE(has(run.program.err, "levin: open " + url.substr(0, url.size() - 1))) << run.program.err;
}

TEST_F(WebappTest, RulesAndAuditHoldForItsCommandsToo) {
  write_text(home_ / "config/policy.toml", "[[rule]]\nprefix = \"touch\"\ndecision = \"deny\"\n");
  test::ProgramOptions options;
  options.environment = {{"LEVIN_BROWSER", "/nowhere/chromium"}};
  const Told run = webapp({block({bash("touch denied"), bash("true")}), page(kRight)}, {}, options);
  EXPECT_TRUE(fs::exists(out() / "index.html")) << run.program.err;
  EXPECT_FALSE(fs::exists(out() / "denied"));
  const std::string log = read_text(home_ / "state/audit.jsonl");
  EXPECT_TRUE(has(log, "\"ended_by\":\"refused\"")) << log;
  EXPECT_TRUE(has(log, "\"exit\":0")) << log;
}

TEST_F(WebappTest, OptionsWithoutEffectAreRefused) {
  for (const char* option : {"--allow-net=localhost:80", "--retries=2", "--test-after-edits"}) {
    const auto run = levin({"webapp", "x", "--out", out().string(), option});
    EXPECT_EQ(run.exit_code, 2) << option;
    EXPECT_TRUE(has(run.err, std::string(option).substr(0, 8))) << run.err;
  }
}

TEST_F(WebappTest, TheReportIsNeverInsideOfTheApp) {
  const Told run = webapp({page(kRight)}, {"--report", (out() / "report").string()});
  EXPECT_EQ(run.program.exit_code, 2);
  EXPECT_TRUE(has(run.program.err, "lies in the app's folder"));
}

TEST_F(WebappTest, WebCheckTellsByItsExitCode) {
  NEEDS_BROWSER();
  write_text(out() / "index.html", page(kRight));
  EXPECT_EQ(levin({"web-check", out().string(), "--accept", (root_ / "counter.json").string()}).exit_code, 0);
  write_text(out() / "index.html", page(kWrong));
  const auto failed = levin({"web-check", out().string(), "--json", "--accept", (root_ / "counter.json").string()});
  EXPECT_EQ(failed.exit_code, 5);
  EXPECT_EQ(Json::parse(failed.out)["checks_failed"], 1);
  const auto unknown = levin({"web-check", out().string(), "--accept", "nothing"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_TRUE(has(unknown.err, "calculator, form, maze, particles, todo, typing"));
}

}  // namespace
}  // namespace levin::cli
