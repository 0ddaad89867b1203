// A transcript that can't be written: the run ends with a reason and the workspace stays whole.
#include <unistd.h>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class DiskTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
  }

  // Replies that fill a small disk with their transcript, each with one whole file of work.
  std::string filling_script() const {
    std::vector<std::string> replies;
    for (int count = 0; count < 40; ++count) {
      const std::string name = "f" + std::to_string(count);
      std::string prose;
      for (int word = 0; word < 250; ++word) prose += "w" + std::to_string(word) + " ";
      replies.push_back(prose + block({call("write", {{"path", name}, {"content", "whole\n"}})}));
    }
    return script(replies);
  }

  // Runs a shell line in which "$@" is the program, with the filling script.
  Told run_in(const std::vector<std::string>& shell) {
    std::vector<std::string> argv = shell;
    argv.insert(argv.end(),
                {LEVIN_PROGRAM, "run", "--json", "--model", filling_script(), "Please help."});
    test::ProgramOptions options;
    options.folder = repository_.string();
    options.environment = environment();
    Told told = read_told(test::run_program(argv, options), home_ / "state");
    check_contract(told);
    return told;
  }

  void expect_whole(const Told& told) {
    EXPECT_EQ(told.program.exit_code, 1) << told.program.out << told.program.err;
    EXPECT_EQ(told.reason(), "io");
    EXPECT_TRUE(has(told.last().value("message", ""), "transcript.jsonl")) << told.last();
    int files = 0;
    for (const auto& entry : fs::directory_iterator(repository_)) {
      const std::string name = entry.path().filename().string();
      if (name == ".git") continue;
      EXPECT_EQ(read_text(entry.path()), name == "a.txt" ? "one\n" : "whole\n") << name;
      ++files;
    }
    EXPECT_GT(files, 1) << "the disk was full before the first step";
  }
};

TEST_F(DiskTest, AFullDiskEndsTheRun) {
  fs::create_directories(home_ / "state");
  const std::string state = (home_ / "state").string();
  const std::vector<std::string> shell = {"unshare",
                                          ::geteuid() == 0 ? "-m" : "-rm",
                                          "sh",
                                          "-c",
                                          "mount -t tmpfs -o size=64k none '" + state +
                                              "' || exit 99; \"$@\"; code=$?; "
                                              "cp -r '" +
                                              state + "' '" + (root_ / "kept").string() +
                                              "'; exit $code",
                                          "sh"};
  std::vector<std::string> probe = shell;
  probe.push_back("true");
  if (test::run_program(probe).exit_code != 0) GTEST_SKIP() << "cannot mount a small disk here";
  fs::remove_all(root_ / "kept");
  const Told told = run_in(shell);
  expect_whole(told);
  EXPECT_TRUE(has(told.last()["message"], "No space left on device")) << told.last();
  // What is there is whole lines.
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "kept")) {
    if (entry.path().filename() != "transcript.jsonl") continue;
    EXPECT_TRUE(read_text(entry.path()).ends_with("}\n"));
  }
}

TEST_F(DiskTest, AFileSizeLimitEndsTheRun) {
  const Told told = run_in({"bash", "-c", "ulimit -f 16; exec \"$@\"", "bash"});
  expect_whole(told);
  EXPECT_TRUE(read_text(told.transcript).ends_with("}\n"));
}

}  // namespace
}  // namespace levin::cli
