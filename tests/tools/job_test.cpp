// Background commands: start, look, input, kill, and that nothing outlives the table. Without
// isolation, so that it runs everywhere; the sandbox's own tests cover the cell.
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/file_io.h"
#include "sandbox/sandbox.h"
#include "tests/tools/workspace_fixture.h"
#include "tools/job_table.h"

namespace levin::tools {
namespace {

// A zombie that nobody has collected yet is dead.
bool lives(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return false;
  const size_t name_end = stat->rfind(") ");
  return name_end != std::string::npos && stat->at(name_end + 2) != 'Z' &&
         stat->at(name_end + 2) != 'X';
}

class JobTest : public ToolTest {
 protected:
  void SetUp() override {
    sandbox::Policy policy;
    policy.profile = sandbox::Profile::kOff;
    policy.workspace = workspace_->root();
    policy.environment = sandbox::default_environment(environ, policy.profile);
    policy.limits.grace_ms = 200;
    Result<sandbox::Sandbox> opened = sandbox::Sandbox::open(policy);
    ASSERT_TRUE(opened) << opened.error().message();
    sandbox_.emplace(*std::move(opened));
    Result<sandbox::AuditLog> audit = sandbox::AuditLog::open(base_ + "/audit.jsonl", {});
    ASSERT_TRUE(audit) << audit.error().message();
    audit_.emplace(*std::move(audit));
    jobs_.emplace(*sandbox_, &*audit_);
  }
  std::string call(const std::string& tool, const nlohmann::json& arguments) {
    ToolContext context{*workspace_, &*sandbox_, nullptr, nullptr, base_ + "/spill"};
    context.audit = &*audit_;
    context.jobs = &*jobs_;
    if (!denied_.empty()) {
      context.refusal = [this](const std::string& command) {
        return command == denied_ ? "E_DENIED " + command : "";
      };
    }
    return make_registry().call(tool, arguments.dump(), context).text;
  }
  std::string start(const std::string& command) {
    return call("bash", {{"command", command}, {"background", true}});
  }
  std::string look(int id, nlohmann::json more = nlohmann::json::object()) {
    more["id"] = std::to_string(id);
    return call("job", more);
  }
  // Looks until it has ended: how, then all output that came. On a busy machine an end may follow
  // its last output late.
  std::string until_end(int id, nlohmann::json more = nlohmann::json::object()) {
    std::string output;
    more["wait_s"] = 60;
    for (int count = 0; count < 100; ++count) {
      const std::string text = look(id, more);
      more.erase("input");
      const size_t line = std::min(text.find('\n'), text.size());
      output += text.substr(line);
      if (text.substr(0, line).find(" running for") == std::string::npos) {
        return text.substr(0, line) + output;
      }
    }
    return "it does not end";
  }
  // The same text whatever the clock says.
  static std::string without_time(std::string text) {
    const std::string mark = " running for ";
    const size_t at = text.find(mark);
    if (at == std::string::npos) return text;
    const size_t digits = at + mark.size();
    return text.erase(digits, text.find('s', digits) - digits);
  }
  // Looks until the new output holds `text`, which has to come.
  std::string look_for(int id, const std::string& text) {
    std::string all;
    for (int count = 0; count < 100 && all.find(text) == std::string::npos; ++count) {
      all += look(id, {{"wait_s", 10}});
      if (all.find(" running for") == std::string::npos) break;
    }
    EXPECT_NE(all.find(text), std::string::npos) << all;
    return all;
  }

  std::optional<sandbox::Sandbox> sandbox_;
  std::optional<sandbox::AuditLog> audit_;
  std::optional<JobTable> jobs_;  // After what it borrows.
  std::string denied_;
};

TEST_F(JobTest, AJobThatEndsTellsItsExitCodeAndOutput) {
  EXPECT_EQ(start("echo hello; exit 3"),
            "job 1 started; job {\"id\":\"1\"} shows its output and state.");
  EXPECT_EQ(until_end(1), "job 1 exit 3\nhello");
  EXPECT_EQ(look(1), "job 1 exit 3");  // The output was told.
}

TEST_F(JobTest, OnlyNewOutputIsTold) {
  start("echo first; read line; echo got $line; read line; echo end $line");
  EXPECT_EQ(without_time(look(1, {{"wait_s", 60}})), "job 1 running for s\nfirst");
  EXPECT_EQ(without_time(look(1, {{"wait_s", 0}})), "job 1 running for s");
  const std::string second = look(1, {{"input", "one\n"}, {"wait_s", 60}});
  EXPECT_NE(second.find("\ngot one"), std::string::npos) << second;
  EXPECT_EQ(second.find("first"), std::string::npos) << second;
  EXPECT_EQ(until_end(1, {{"input", "two\n"}}), "job 1 exit 0\nend two");
}

TEST_F(JobTest, SeveralRunBesideOneAnother) {
  start("read x; echo a $x");
  start("read x; echo b $x");
  EXPECT_EQ(call("bash", {{"command", "echo c"}}), "exit 0\nc");
  EXPECT_EQ(until_end(2, {{"input", "2\n"}}), "job 2 exit 0\nb 2");
  EXPECT_EQ(until_end(1, {{"input", "1\n"}}), "job 1 exit 0\na 1");
}

TEST_F(JobTest, AKilledJobIsDeadWithAllItStarted) {
  // The grandchild ignores the polite signals.
  start("(trap '' TERM INT; echo pid $BASHPID end; while :; do sleep 1; done) & wait");
  const std::string text = look_for(1, " end");
  const pid_t pid = std::atoi(text.c_str() + text.find("pid ") + 4);
  ASSERT_GT(pid, 1);
  ASSERT_TRUE(lives(pid));
  const std::string killed = look(1, {{"kill", true}});
  EXPECT_TRUE(killed.starts_with("job 1 killed by SIG")) << killed;
  EXPECT_FALSE(lives(pid));
}

TEST_F(JobTest, JobsDieWithTheTable) {
  start("echo pid $$ end; exec sleep 1000");
  const std::string text = look_for(1, " end");
  const pid_t pid = std::atoi(text.c_str() + text.find("pid ") + 4);
  ASSERT_TRUE(lives(pid));
  jobs_.reset();
  EXPECT_FALSE(lives(pid));
}

TEST_F(JobTest, TimeAndOutputAreLimited) {
  call("bash", {{"command", "echo x; exec sleep 1000"}, {"background", true}, {"timeout_s", 1}});
  const std::string timed = look_for(1, "E_TIMEOUT");
  EXPECT_NE(timed.find("x"), std::string::npos) << timed;
  start("seq 1 100000; read line");
  const std::string text = look_for(2, "\n100000");
  EXPECT_NE(text.find("bytes left out"), std::string::npos) << text.substr(0, 200);
  EXPECT_LT(text.size(), 40'000u);
}

TEST_F(JobTest, NotMoreThanAFewRunAtOnce) {
  for (size_t count = 0; count < kJobsMax; ++count) start("read line");
  EXPECT_EQ(start("true"), "E_LIMIT 16 jobs run already; kill one first.");
  EXPECT_TRUE(look(1, {{"kill", true}}).starts_with("job 1 "));
  EXPECT_TRUE(start("true").starts_with("job 17 started"));
}

TEST_F(JobTest, WrongCallsAreAnswered) {
  EXPECT_EQ(look(1),
            "E_ARGS job: no job \"1\". There is none; start one with bash and "
            "background=true.");
  start("true");
  EXPECT_EQ(look(7), "E_ARGS job: no job \"7\". There are: 1.");
  EXPECT_EQ(until_end(1), "job 1 exit 0");
  EXPECT_EQ(call("job", {{"id", 1}}), "job 1 exit 0");
  EXPECT_TRUE(call("job", nlohmann::json::object()).starts_with("E_ARGS job: missing \"id\""));
  EXPECT_EQ(look(1, {{"input", std::string(kJobInputBytesMax + 1, 'x')}}),
            "E_IO job 1: the job does not read its input");
  jobs_.emplace(*sandbox_, nullptr);
  ToolContext context{*workspace_, &*sandbox_, nullptr, nullptr, ""};
  EXPECT_EQ(make_registry().call("bash", R"({"command":"ls","background":true})", context).text,
            "E_ARGS bash: there are no background jobs here; leave background out.");
}

TEST_F(JobTest, AJobMayNotFillTheDisk) {
  sandbox::Policy policy = sandbox_->policy();
  policy.profile = sandbox::Profile::kWorkspace;
  policy.limits.disk_bytes_max = 16 << 20;
  Result<sandbox::Sandbox> isolated = sandbox::Sandbox::open(policy);
  if (!isolated) GTEST_SKIP() << isolated.error().message();
  jobs_.emplace(*isolated, nullptr);
  start("head -c 64000000 /dev/zero > big; sync big; sleep 60");
  const std::string text = until_end(1);
  jobs_.reset();  // Before the sandbox that it borrows.
  EXPECT_TRUE(text.starts_with("job 1 E_LIMIT stopped: the command filled the disk")) << text;
}

TEST_F(JobTest, RulesAndAuditHoldForJobsToo) {
  denied_ = "rm x";
  EXPECT_EQ(start("rm x"), "E_DENIED rm x");
  start("exit 4");
  EXPECT_EQ(until_end(1), "job 1 exit 4");
  const auto text = read_file(base_ + "/audit.jsonl");
  ASSERT_TRUE(text);
  std::istringstream lines(*text);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line)["ended_by"], "refused");
  ASSERT_TRUE(std::getline(lines, line));
  const auto record = nlohmann::json::parse(line);
  EXPECT_EQ(record["job"], "1");
  EXPECT_EQ(record["exit"], 4);
}

}  // namespace
}  // namespace levin::tools
