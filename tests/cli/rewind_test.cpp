// Going back with files, conversation and model state together, and on from there.
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class CliRewindTest : public CliTest {
 protected:
  std::string id() const {
    const auto list = Json::parse(levin({"sessions", "--json"}).out);
    return list.at(0).at("id").get<std::string>();
  }

  struct Resumed {
    test::ProgramRun program;
    std::vector<Json> states;
    std::vector<std::string> commands;
  };
  Resumed resume(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"resume", id(), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Resumed resumed{levin(arguments), {}, {}};
    std::istringstream lines(resumed.program.out);
    for (std::string line; std::getline(lines, line);) {
      const Json event = Json::parse(line);
      if (event["type"] == "state") resumed.states.push_back(event);
      if (event["type"] != "item.completed" || event["item"]["type"] != "command") continue;
      resumed.commands.push_back(event["item"]["command"]);
    }
    return resumed;
  }
  test::ProgramRun rewind(const std::string& name) const {
    return levin({"rewind", id() + "@" + name});
  }
};

TEST_F(CliRewindTest, AScriptGoesOnWithTheReplyThatFollows) {
  make_repository({{"a.txt", "one\n"}});
  run_script({block({bash("echo 1 >> a.txt")}), block({bash("echo 2 >> a.txt")}), "Done."});
  EXPECT_EQ(read_text(repository_ / "a.txt"), "one\n1\n2\n");
  ASSERT_EQ(rewind("1").exit_code, 0);
  EXPECT_EQ(read_text(repository_ / "a.txt"), "one\n1\n");
  const Resumed resumed = resume();
  EXPECT_EQ(resumed.program.exit_code, 0) << resumed.program.err;
  EXPECT_EQ(resumed.commands, std::vector<std::string>{"echo 2 >> a.txt"});
  EXPECT_EQ(read_text(repository_ / "a.txt"), "one\n1\n2\n");
  // Its steps have new names, the old ones stay where they were.
  ASSERT_EQ(rewind("4").exit_code, 0);
  ASSERT_EQ(rewind("2").exit_code, 0);
  ASSERT_EQ(rewind("0").exit_code, 0);
  EXPECT_EQ(resume().commands.size(), 2u);
}

TEST_F(CliRewindTest, AFolderWithoutARepositoryHasAPrivateOne) {
  const fs::path plain = root_ / "plain";
  write_text(plain / "a.txt", "one\n");
  test::ProgramOptions options;
  options.folder = plain.string();
  const std::string model = script({block({bash("echo 1 >> a.txt; mkdir n; echo q > n/q")}),
                                    block({bash("rm a.txt")}), "Done."});
  const test::ProgramRun program = levin({"run", "--model", model, "Please help."}, options);
  ASSERT_EQ(program.exit_code, 0) << program.err;
  EXPECT_TRUE(has(program.err, "no git repository here")) << program.err;
  EXPECT_FALSE(fs::exists(plain / ".git"));
  ASSERT_EQ(levin({"rewind", id() + "@1"}, options).exit_code, 0);
  EXPECT_EQ(read_text(plain / "a.txt"), "one\n1\n");
  EXPECT_TRUE(has(levin({"diff", id()}, options).out, "deleted file")) << "of the last step";
  ASSERT_EQ(levin({"undo"}, options).exit_code, 0);
  EXPECT_EQ(read_text(plain / "a.txt"), "one\n");
  EXPECT_FALSE(fs::exists(plain / "n"));
}

TEST_F(CliRewindTest, UndoTakesTheRequestAway) {
  make_repository({{"a.txt", "one\n"}});
  run_script({block({bash("echo 1 >> a.txt")}), "Done.", "Nothing to say."});
  EXPECT_EQ(levin({"undo"}).exit_code, 0);
  const Resumed nothing = resume();
  EXPECT_EQ(nothing.program.exit_code, 0);
  EXPECT_TRUE(has(nothing.program.err, "nothing is left to do")) << nothing.program.err;
  const Resumed other = resume({"Something else."});
  EXPECT_EQ(other.commands, std::vector<std::string>{"echo 1 >> a.txt"});
  const test::ProgramRun again = levin({"undo"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(levin({"undo"}).exit_code, 2);
}

TEST_F(CliRewindTest, TheEmbeddedModelPrefillsNothingAgain) {
  make_repository_from(fs::path(LEVIN_SOURCE_DIR) / "examples/repos/swapped-arguments/repo");
  const Told told =
      run({"--temperature", "0", "--max-turns", "4", "Run the tests and fix what is broken."});
  ASSERT_GE(told.of_type("state").size(), 3u);
  const std::vector<Json> first = told.of_type("state");
  for (const size_t step : {size_t{2}, size_t{1}, size_t{0}}) {
    ASSERT_EQ(rewind(std::to_string(step)).exit_code, 0);
    const Resumed resumed = resume({"--temperature", "0", "--max-turns", "1"});
    ASSERT_EQ(resumed.states.size(), 1u) << resumed.program.err;
    const Json& was = first[step];
    EXPECT_EQ(resumed.states[0]["prefilled"], 0) << resumed.program.err;
    EXPECT_EQ(resumed.states[0]["reused"].get<int>(),
              was["reused"].get<int>() + was["prefilled"].get<int>());
    EXPECT_EQ(resumed.states[0]["generated"], was["generated"]);
  }
}

TEST_F(CliRewindTest, ADamagedFileOfMarksIsToldAndCostsOnlyTime) {
  make_repository_from(fs::path(LEVIN_SOURCE_DIR) / "examples/repos/swapped-arguments/repo");
  const Told told =
      run({"--temperature", "0", "--max-turns", "3", "Run the tests and fix what is broken."});
  const fs::path marks = told.transcript.parent_path() / "state.bin.marks";
  std::string bytes = read_text(marks);
  ASSERT_GT(bytes.size(), 1000u);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_text(marks, bytes);
  ASSERT_EQ(rewind("0").exit_code, 0);
  const Resumed resumed = resume({"--temperature", "0", "--max-turns", "1"});
  EXPECT_TRUE(has(resumed.program.err, "state not used: ")) << resumed.program.err;
  EXPECT_TRUE(has(resumed.program.out, "state.refused"));
  ASSERT_EQ(resumed.states.size(), 1u);
  EXPECT_EQ(resumed.states[0]["generated"], told.of_type("state")[0]["generated"]);
}

}  // namespace
}  // namespace levin::cli
