// bash through the real sandbox. Skipped, loudly, where the machine offers none.
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "tests/tools/workspace_fixture.h"

namespace levin::tools {
namespace {

class BashTool : public ToolTest {
 protected:
  void SetUp() override {
    sandbox::Policy policy;
    policy.profile = sandbox::Profile::kOff;
    policy.workspace = workspace_->root();
    policy.environment = sandbox::default_environment(environ, policy.profile);
    Result<sandbox::Sandbox> opened = sandbox::Sandbox::open(policy);
    if (!opened) GTEST_SKIP() << opened.error().message();
    sandbox_.emplace(*std::move(opened));
  }
  std::string bash(const std::string& arguments) {
    ToolContext context{*workspace_, &*sandbox_, nullptr, nullptr, base_ + "/spill"};
    return make_registry().call("bash", arguments, context).text;
  }
  std::optional<sandbox::Sandbox> sandbox_;
};

TEST_F(BashTool, RunsInTheWorkspace) {
  put("a.txt", "x\n");
  EXPECT_EQ(bash(R"({"command":"ls; echo err >&2; exit 3"})"), "exit 3\na.txt\nerr");
  EXPECT_EQ(bash(R"({"command":"true"})"), "exit 0");
  EXPECT_EQ(bash("{}"), R"(E_ARGS bash: missing "command". Got {}. Example: {"command":"ls"})");
}

TEST_F(BashTool, LongOutputIsSpilledAndCanBeRead) {
  const std::string result = bash(R"({"command":"seq 1 5000"})");
  const std::string path = base_ + "/spill/1.txt";
  EXPECT_NE(result.find("all of it: read " + path + " ..."), std::string::npos)
      << result.substr(0, 900);
  EXPECT_EQ(text("read", "{\"path\":\"" + path + "\",\"start\":2500,\"lines\":1}"),
            path + " (lines 2500-2500 of 5000; next: start=2501)\n2500\t2500");
}

TEST_F(BashTool, TimesOut) {
  EXPECT_EQ(bash(R"({"command":"echo before; sleep 60","timeout_s":1})"),
            "E_TIMEOUT 1 s, last output below; rerun with a larger timeout_s.\nbefore");
}

TEST_F(BashTool, WithoutASandboxCommandsAreRefused) {
  ToolContext context{*workspace_, nullptr, nullptr, nullptr, ""};
  EXPECT_EQ(make_registry().call("bash", R"({"command":"ls"})", context).text,
            "E_DENIED ls (commands are switched off). Do not retry; choose another way or ask.");
}

}  // namespace
}  // namespace levin::tools
