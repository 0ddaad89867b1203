// Wrong command lines, folders, tasks and scripts: exit 2, nothing on stdout but the last event with --json, and a message that
// says what, where, expected and found.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class BadInputTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
  }

  // Runs, and expects exit 2, an empty stdout and all of `parts` on stderr.
  void expect_refused(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& parts, test::ProgramOptions options = {}) {
    const test::ProgramRun run = levin(arguments, std::move(options));
    EXPECT_EQ(run.exit_code, 2) << arguments.back() << "\n" << run.err;
    EXPECT_EQ(run.out, "") << arguments.back();
    for (const std::string& part : parts) {
      EXPECT_TRUE(has(run.err, part)) << "\"" << part << "\" in: " << run.err;
    }
    EXPECT_FALSE(fs::exists(home_ / "state/sessions")) << "a session was begun";
  }
};

TEST_F(BadInputTest, UnknownWordsAndOptions) {
  expect_refused({"frobnicate"}, {"frobnicate"});
  expect_refused({"run", "--frobnicate", "task"}, {"--frobnicate"});
  expect_refused({"run", "task", "another"}, {"another"});
  expect_refused({"debug", "render", "--template", "gpt"}, {"--template", "gpt"});
  expect_refused({"run", "--sandbox", "strong", "task"},
                 {"--sandbox", "strong", "off, read-only, workspace"});
  // What stands behind the names is nobody's business: 3 would be "off".
  for (const std::string number : {"0", "1", "3"}) {
    expect_refused({"run", "--sandbox", number, "task"}, {"--sandbox", "found " + number});
    expect_refused({"sandbox", "--profile", number, "--", "true"}, {"--profile", "found " + number});
  }
  expect_refused({"sandbox", "--limit", "tmp=0", "--", "true"}, {"--limit tmp=0", "1 or more"});
  expect_refused({"run"}, {"task"});
  expect_refused({}, {"subcommand"});
  expect_refused({"model"}, {"subcommand"});
}

TEST_F(BadInputTest, ValuesOutOfRange) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"--temperature", "-1"}, {"--temperature", "hot"}, {"--temperature", "nan"},
      {"--top-p", "1.5"},      {"--top-k", "-2"},        {"--min-p", "2"},
      {"--threads", "0"},      {"--threads", "many"},    {"--max-turns", "0"},
      {"--max-tokens", "0"},   {"--think-budget", "-3"}, {"--seed", "-1"},
      {"--seed", "x"},         {"--script-chunk", "0"},  {"--script-pace-ms", "-1"},
      {"--isa", "sse9"},
  };
  for (const auto& [option, value] : wrong) {
    expect_refused({"run", option + "=" + value, "task"}, {option, value});
  }
}

TEST_F(BadInputTest, TasksThatAreNone) {
  const std::string model = script({"Done."});
  expect_refused({"run", "--model", model, ""}, {"task is empty"});
  expect_refused({"run", "--model", model, " \n "}, {"task is empty"});
  expect_refused({"run", "--model", model, "caf\xE9 crash"}, {"not UTF-8", "byte 3"});
  expect_refused({"run", "--model", model, "-"}, {"task is empty"});
}

TEST_F(BadInputTest, TheHomeFolderWithoutARepository) {
  const fs::path plain = root_ / "plain";
  fs::create_directories(plain);
  test::ProgramOptions options;
  options.folder = plain.string();
  options.environment = {{"HOME", plain.string()}};
  expect_refused({"run", "--model", script({"Done."}), "task"},
                 {plain.string(), "not in a git repository", "git init"}, options);
}

TEST_F(BadInputTest, ARefusalIsTheLastEventToo) {
  const test::ProgramRun run = levin({"run", "--json", "--model", script({"Done."}), " "});
  EXPECT_EQ(run.exit_code, 2);
  const auto event = nlohmann::json::parse(run.out);
  EXPECT_EQ(event["type"], "run.failed");
  EXPECT_EQ(event["reason"], "usage");
  EXPECT_TRUE(has(event["message"], "task is empty"));
  EXPECT_TRUE(has(run.err, "task is empty"));
  EXPECT_FALSE(fs::exists(home_ / "state/sessions")) << "a session was begun";
}

TEST_F(BadInputTest, ABareRepository) {
  const fs::path bare = root_ / "bare.git";
  ASSERT_EQ(test::run_program({"git", "init", "-q", "--bare", bare.string()}).exit_code, 0);
  test::ProgramOptions options;
  options.folder = bare.string();
  expect_refused({"run", "--model", script({"Done."}), "task"}, {bare.string(), "bare"}, options);
}

TEST_F(BadInputTest, ScriptsThatAreNone) {
  expect_refused({"run", "--model", "script:" + (root_ / "absent").string(), "task"},
                 {(root_ / "absent").string(), "No such file"});
  const auto refuse_line = [&](const std::string& line, const std::vector<std::string>& parts) {
    write_text(root_ / "bad.jsonl", "{\"text\": \"fine\"}\n" + line + "\n");
    std::vector<std::string> all = parts;
    all.insert(all.end(), {"bad.jsonl", "line 2", "expected", "found"});
    expect_refused({"run", "--model", "script:" + (root_ / "bad.jsonl").string(), "task"}, all);
  };
  refuse_line("just words", {"just words"});
  refuse_line("{\"text\": 7}", {"7"});
  refuse_line("{\"text\": \"x\", \"tempo\": 1}", {"tempo"});
  refuse_line("{\"text\": \"x\", \"pace_ms\": -1}", {"-1"});
  refuse_line("{\"text\": \"x\", \"finish\": \"never\"}", {"never"});
  refuse_line("{}", {"text"});
}

TEST_F(BadInputTest, AStateFolderThatCannotBeMade) {
  write_text(root_ / "file", "");
  test::ProgramOptions options;
  options.environment = {{"LEVIN_HOME", (root_ / "file").string()}};
  expect_refused({"run", "--model", script({"Done."}), "task"}, {(root_ / "file").string()},
                 options);
  options.environment = {{"LEVIN_HOME", "relative/folder"}};
  expect_refused({"run", "--model", script({"Done."}), "task"},
                 {"LEVIN_HOME", "absolute", "relative/folder"}, options);
}

// In a user namespace that allows no further one.
TEST_F(BadInputTest, WithoutASandboxCommandsNeedSandboxOff) {
  const std::vector<std::string> hidden = {
      "unshare",
      "-r",
      "sh",
      "-c",
      "echo 0 > /proc/sys/user/max_user_namespaces || exit 99; exec \"$@\"",
      "sh"};
  const auto run_hidden = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = hidden;
    argv.push_back(LEVIN_PROGRAM);
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    test::ProgramOptions options;
    options.folder = repository_.string();
    options.environment = environment();
    return test::run_program(argv, options);
  };
  if (run_hidden({"--version"}).exit_code != 0) GTEST_SKIP() << "no user namespace of our own here";
  const std::string model = script({block({bash("echo ran")}), "Done."});
  const test::ProgramRun refused = run_hidden({"run", "--json", "--model", model, "task"});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  const auto event = nlohmann::json::parse(refused.out);  // One line, and no session.
  EXPECT_EQ(event["type"], "run.failed");
  EXPECT_EQ(event["reason"], "usage");
  EXPECT_TRUE(has(event["message"], "no sandbox here"));
  EXPECT_EQ(event["usage"]["generated"], 0);
  EXPECT_TRUE(has(refused.err, "no sandbox here: user namespace: user.max_user_namespaces is 0"))
      << refused.err;
  EXPECT_TRUE(has(refused.err, "--sandbox off")) << refused.err;
  const test::ProgramRun off =
      run_hidden({"run", "--json", "--sandbox", "off", "--model", model, "task"});
  EXPECT_EQ(off.exit_code, 0) << off.err;
  EXPECT_TRUE(has(off.out, "\"output\":\"ran\"")) << off.out;
  const test::ProgramRun doctor = run_hidden({"doctor"});
  EXPECT_EQ(doctor.exit_code, 1);
  EXPECT_TRUE(has(doctor.out, "missing user namespace")) << doctor.out;
}

}  // namespace
}  // namespace levin::cli
