// What a reply's calls become: results in order, events, loops, refusals.
#include "agent/call_runner.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/workspace_fixture.h"

namespace levin::agent {
namespace {

class Recorder final : public EventSink {
 public:
  void on_event(const Event& event) override { events.push_back(to_json(event)); }
  std::vector<nlohmann::ordered_json> events;
};

class CallRunnerTest : public tools::ToolTest {
 protected:
  CallRunnerTest() : context_{*workspace_, nullptr, {}, &interrupted_, ""} {}

  std::vector<CallResult> run(const Reply& reply) { return runner_.run(reply, 1); }
  static Reply reply_of(std::vector<ToolCall> calls) {
    Reply reply;
    reply.calls = std::move(calls);
    return reply;
  }

  std::atomic<bool> interrupted_ = false;
  tools::ToolContext context_;
  tools::Registry all_ = tools::make_registry();
  Recorder recorder_;
  ItemIds ids_;
  CallRunner runner_{all_, context_, recorder_, ids_};
};

const ToolCall kRead{"read", R"({"path": "a.txt"})", false};

TEST_F(CallRunnerTest, AnswersInTheOrderOfTheReplyProblemsIncluded) {
  put("a.txt", "one\n");
  Reply reply = reply_of({kRead, {"grep", "{}", false}, {"write", R"({"path": "b", "con)", true}});
  reply.problems = {{0, 0, "expected a string"}, {9, 1, "expected a comma"}, {99, 3, "the end"}};
  const auto results = run(reply);
  ASSERT_EQ(results.size(), 6u);
  EXPECT_EQ(results[0].text.text, "E_JSON expected a string; send the call again.");
  EXPECT_EQ(results[1].text.text, "a.txt (lines 1-1 of 1)\n1\tone");
  EXPECT_EQ(results[2].text.text, "E_JSON expected a comma; send the call again.");
  EXPECT_EQ(results[3].text.text, "E_TOOL no tool \"grep\". Use search.");
  EXPECT_TRUE(results[4].text.text.starts_with("E_JSON cut off at byte ")) << results[4].text.text;
  EXPECT_EQ(results[4].text.name, "write");
  EXPECT_EQ(results[5].text.text, "E_JSON the end; send the call again.");
  const std::vector<bool> failed = {true, false, true, true, true, true};
  for (size_t index = 0; index < failed.size(); ++index) {
    EXPECT_EQ(results[index].failed, failed[index]) << index;
  }
  EXPECT_EQ(runner_.num_calls(), 6);
  EXPECT_EQ(recorder_.events.size(), 6u);
}

TEST_F(CallRunnerTest, ACutCallWithoutANameIsAnsweredAsBash) {
  const auto results = run(reply_of({{"", "", true}}));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].text.name, "bash");
}

TEST_F(CallRunnerTest, TellsAboutTheThirdEqualCallAndLaterOnes) {
  put("a.txt", "one\n");
  for (int count = 1; count <= 4; ++count) {
    const CallResult result = run(reply_of({kRead})).at(0);
    EXPECT_EQ(result.failed, count >= kEqualCallsMax) << count;
    EXPECT_EQ(result.text.text.starts_with("E_LOOP"), count >= kEqualCallsMax) << count;
    EXPECT_EQ(recorder_.events.back()["item"]["result"], result.text.text);
  }
  put("a.txt", "two\n");  // Another result: the file changed.
  EXPECT_FALSE(run(reply_of({kRead})).at(0).failed);
}

TEST_F(CallRunnerTest, AFileChangeIsToldWithItsDiff) {
  put("a.txt", "one\n");
  run(reply_of({{"write", R"({"path": "a.txt", "content": "two\n"})", false}}));
  ASSERT_EQ(recorder_.events.size(), 1u);
  const auto& item = recorder_.events[0]["item"];
  EXPECT_EQ(item["type"], "file_change");
  EXPECT_EQ(item["kind"], "update");
  EXPECT_NE(item["diff"].get<std::string>().find("-one\n+two\n"), std::string::npos);
  EXPECT_EQ(runner_.changed_files(), (std::set<std::string>{"a.txt"}));
}

TEST_F(CallRunnerTest, WithoutASandboxACommandIsDenied) {
  const auto results = run(reply_of({{"bash", R"({"command": "true"})", false}}));
  EXPECT_TRUE(results.at(0).text.text.starts_with("E_DENIED"));
  EXPECT_EQ(recorder_.events.back()["item"]["status"], "denied");
}

TEST_F(CallRunnerTest, AfterAnInterruptNothingRuns) {
  put("a.txt", "one\n");
  interrupted_ = true;
  EXPECT_TRUE(run(reply_of({kRead, kRead})).empty());
}

class UnsafeCommandTest : public CallRunnerTest {
 protected:
  void SetUp() override {
    sandbox::Policy policy;
    policy.profile = sandbox::Profile::kOff;
    policy.workspace = root_;
    policy.environment = {{"PATH", "/usr/bin:/bin"}};
    auto opened = sandbox::Sandbox::open(policy);
    ASSERT_TRUE(opened) << opened.error().message();
    sandbox_.emplace(*std::move(opened));
    context_.sandbox = &*sandbox_;
  }
  nlohmann::ordered_json command(const std::string& line) {
    const nlohmann::json arguments = {{"command", line}};
    result_ = run(reply_of({{"bash", arguments.dump(), false}})).at(0);
    return recorder_.events.back()["item"];
  }

  std::optional<sandbox::Sandbox> sandbox_;
  CallResult result_;
};

TEST_F(UnsafeCommandTest, HasCompletedWhateverItsCode) {
  const auto good = command("echo out");
  EXPECT_EQ(good["status"], "completed");
  EXPECT_EQ(good["exit_code"], 0);
  EXPECT_EQ(good["output"], "out");
  const auto bad = command("exit 7");
  EXPECT_EQ(bad["status"], "completed");
  EXPECT_EQ(bad["exit_code"], 7);
  EXPECT_EQ(result_.text.text, "exit 7");
  EXPECT_FALSE(result_.failed);
}

TEST_F(UnsafeCommandTest, ATimeoutHasNoExitCode) {
  const nlohmann::json arguments = {{"command", "sleep 30"}, {"timeout_s", 1}};
  const auto result = run(reply_of({{"bash", arguments.dump(), false}})).at(0);
  EXPECT_TRUE(result.text.text.starts_with("E_TIMEOUT 1 s")) << result.text.text;
  EXPECT_EQ(recorder_.events.back()["item"]["status"], "timeout");
  EXPECT_TRUE(recorder_.events.back()["item"]["exit_code"].is_null());
}

}  // namespace
}  // namespace levin::agent
