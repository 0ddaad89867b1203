// `levin run` with the embedded model on the example repositories: real tokens, real tests.
#include <algorithm>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class EmbeddedTest : public CliTest {
 protected:
  static fs::path example(const std::string& name) {
    return fs::path(LEVIN_SOURCE_DIR) / "examples/repos" / name;
  }

  static std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  int run_tests(const std::string& name) const {
    test::ProgramOptions options;
    options.folder = repository_.string();
    options.environment = {{"PYTHONDONTWRITEBYTECODE", "1"}};
    return test::run_program({"sh", "-c", trimmed(read_text(example(name) / "test_command"))},
                             options)
        .exit_code;
  }

  // Repairs the example; `file` is the only one that may change.
  void repair(const std::string& name, const std::string& file) {
    make_repository_from(example(name) / "repo");
    ASSERT_NE(run_tests(name), 0) << "the example is not broken";
    const Told told =
        run({"--temperature", "0", trimmed(read_text(example(name) / "request.txt"))});
    EXPECT_EQ(told.program.exit_code, 0) << told.program.out << told.program.err;
    EXPECT_TRUE(has(told.program.err, "small demonstration model")) << told.program.err;
    EXPECT_EQ(run_tests(name), 0) << "the tests still fail";
    EXPECT_EQ(git_status(), " M " + file + "\n");
    EXPECT_EQ(told.last()["usage"]["files_changed"], 1);
    EXPECT_GE(told.items("item.completed", "command").size(), 2u);
    EXPECT_EQ(told.items("item.completed", "file_change").size(), 1u);
  }

  // The ids of one long reply. Nothing of a tool's result is in them: test runners print times.
  std::vector<int> sampled(std::vector<std::string> arguments) {
    fs::remove_all(repository_);
    fs::create_directories(repository_);
    make_repository({{"a.txt", "one\n"}});
    arguments.insert(arguments.end(), {"--max-turns", "1", "--max-tokens", "120",
                                       "Make a typing test as a web page."});
    const Told told = run(arguments);
    EXPECT_TRUE(told.program.exit_code == 3 || told.program.exit_code == 0) << told.program.err;
    std::vector<int> ids;
    for (const Json& record : told.records) {
      if (record["type"] != "tokens" || record["source"] != "sampled") continue;
      for (const Json& id : record["ids"]) ids.push_back(id);
    }
    EXPECT_GT(ids.size(), 5u);
    return ids;
  }
};

TEST_F(EmbeddedTest, RepairsAnInvertedCondition) {
  repair("inverted-condition", "product_of_codos.py");
}

TEST_F(EmbeddedTest, RepairsAMisspeltKey) {
  repair("misspelt-key", "delta.py");
}

TEST_F(EmbeddedTest, RepairsSwappedArguments) {
  repair("swapped-arguments", "main.py");
}

TEST_F(EmbeddedTest, GreedyRunsAreEqualWhateverTheNumberOfThreads) {
  const std::vector<int> first = sampled({"--temperature", "0", "--threads", "1"});
  EXPECT_EQ(first, sampled({"--temperature", "0", "--threads", "1"}));
  EXPECT_EQ(first, sampled({"--temperature", "0", "--threads", "2"}));
}

TEST_F(EmbeddedTest, ASeedRepeatsASampledRun) {
  const std::vector<std::string> seven = {"--seed", "7", "--temperature", "0.8"};
  const std::vector<int> first = sampled(seven);
  EXPECT_EQ(first, sampled(seven));
}

TEST_F(EmbeddedTest, EachInstructionSetSaysTheSame) {
  const std::vector<int> first = sampled({"--temperature", "0"});
  EXPECT_EQ(first, sampled({"--temperature", "0", "--isa", "baseline"}));
}

}  // namespace
}  // namespace levin::cli
