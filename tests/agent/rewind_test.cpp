// Going back: random histories, the user's own changes, kills in the middle, and the program.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/agent/checkpoint_fixture.h"

namespace levin::agent {
namespace {

class RewindTest : public CheckpointFixture {
 protected:
  // `a` sorts before and after its own children in git's and in byte order.
  static constexpr std::array<const char*, 12> kPaths = {
      "a",      "a-b",       "a/b", "a.b/c",      "deep/er/est/file", "deep/er",
      "sp ace", "new\nline", "%41", "\xC3\xBC/x", "z/.hidden",        "run"};

  size_t pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }

  // Makes room for `path`: no file or link above it, nothing at it.
  void clear(const std::string& path) const {
    fs::path above = tree_;
    for (const fs::path& part : fs::path(path).parent_path()) {
      above /= part;
      if (!fs::is_directory(fs::symlink_status(above))) fs::remove(above);
    }
    fs::create_directories((tree_ / path).parent_path());
    fs::remove_all(tree_ / path);
  }

  void edit() {
    static constexpr std::array<mode_t, 6> kModes = {0644, 0600, 0755, 0700, 0640, 0444};
    const std::string path = kPaths.at(pick(kPaths.size()));
    const auto status = fs::symlink_status(tree_ / path);
    switch (pick(7)) {
      case 0:
        if (fs::exists(status)) fs::remove_all(tree_ / path);
        break;
      case 1:
        if (fs::is_regular_file(status)) {
          ASSERT_EQ(::chmod((tree_ / path).c_str(), kModes.at(pick(kModes.size()))), 0);
        }
        break;
      case 2:
        clear(path);
        fs::create_symlink(pick(2) == 0 ? "/etc/passwd" : "..", tree_ / path);
        break;
      case 3: {
        const std::string target = kPaths.at(pick(kPaths.size()));
        if (!fs::is_regular_file(status) || target.starts_with(path) || path.starts_with(target)) {
          break;
        }
        clear(target);
        if (fs::is_regular_file(fs::symlink_status(tree_ / path))) {
          fs::rename(tree_ / path, tree_ / target);
        }
        break;
      }
      case 4:
        clear(path);
        fs::create_directory(tree_ / path);
        break;
      default: {
        clear(path);
        std::string bytes(pick(3) == 0 ? 0 : pick(9000), '\0');
        for (char& byte : bytes) byte = static_cast<char>(pick(256));
        write(path, bytes);
      }
    }
  }

  test::ProgramRun levin(std::vector<std::string> words) const {
    words.insert(words.begin(), LEVIN_PROGRAM);
    test::ProgramOptions options;
    options.folder = tree_;
    return test::run_program(words, options);
  }
  std::string newest_id() const {
    const auto list = nlohmann::json::parse(levin({"sessions", "--json"}).out);
    return list.at(0).at("id").get<std::string>();
  }
  // A run of the program in which the model gives these commands, one a step.
  void run_commands(const std::vector<std::string>& commands) const {
    std::ofstream script(folder_ / "script.jsonl");
    for (const std::string& command : commands) {
      const nlohmann::json call = {{"name", "bash"}, {"arguments", {{"command", command}}}};
      script << nlohmann::json{{"text", "<tool_calls>\n" + call.dump() + "\n</tool_calls>"}}
             << '\n';
    }
    script << R"({"text": "Done."})" << '\n';
    script.close();
    const test::ProgramRun run =
        levin({"run", "--model", "script:" + (folder_ / "script.jsonl").string(), "--sandbox",
               "off", "do it"});
    ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  }

  std::mt19937 random_{20261124};
};

TEST_F(RewindTest, AnyStepOfARandomHistoryComesBackExactly) {
  constexpr int kSteps = 25;
  write(".gitignore", "*.ign\n");
  write("keep/tracked", "t");
  git({"add", "."});
  git({"commit", "-qm", "one"});
  write("keep/user.ign", "ignored");
  write("keep/tracked", "dirty at the start");
  begin();
  std::vector<std::map<std::string, std::string>> pictures = {picture()};
  for (int number = 1; number <= kSteps; ++number) {
    for (size_t edits = 1 + pick(6); edits > 0; --edits) edit();
    step(number);
    pictures.push_back(picture());
  }
  end();
  std::vector<int> order;
  for (int round = 0; round < 2; ++round) {
    for (int number = 0; number <= kSteps; ++number) order.push_back(number);
  }
  std::shuffle(order.begin(), order.end(), random_);
  for (const int number : order) {
    rewind(std::to_string(number));
    ASSERT_EQ(picture(), pictures.at(static_cast<size_t>(number))) << "step " << number;
  }
  EXPECT_EQ(git({"fsck", "--strict"}), "");
}

TEST_F(RewindTest, LaterChangesOfTheUserAreRefusedOrSaved) {
  write("a", "1");
  begin();
  write("a", "2");
  write("b", "2");
  step(1);
  end();
  write("mine", "user");
  write("b", "user");
  fs::create_directory(tree_ / "room");
  const auto refused = try_rewind("0");
  ASSERT_TRUE(refused) << refused.error().message();
  EXPECT_EQ(refused->lost, (std::vector<std::string>{"b", "mine"}));
  EXPECT_EQ(text("a"), "2");
  const auto forced = try_rewind("0", true);
  ASSERT_TRUE(forced) << forced.error().message();
  EXPECT_EQ(forced->saved, "saved-1");
  EXPECT_EQ(text("a"), "1");
  EXPECT_FALSE(fs::exists(tree_ / "mine"));
  rewind("saved-1");
  EXPECT_EQ(text("mine"), "user");
  EXPECT_EQ(text("b"), "user");
  rewind("1");
  EXPECT_EQ(text("b"), "2");
}

TEST_F(RewindTest, AChangeThatIsAlreadyTheTargetIsNoLoss) {
  write("a", "1");
  begin();
  write("a", "2");
  step(1);
  end();
  write("a", "1");
  rewind("0");
}

TEST_F(RewindTest, FoldersThatTheUserMadeStay) {
  begin();
  write("by/levin/file", "x");
  step(1);
  end();
  fs::create_directory(tree_ / "by-user");
  rewind("0");
  EXPECT_FALSE(fs::exists(tree_ / "by"));
  EXPECT_TRUE(fs::exists(tree_ / "by-user"));
}

TEST_F(RewindTest, LinksAreNeverFollowedOut) {
  write("folder/file", "1");
  fs::create_directories(folder_ / "outside");
  std::ofstream(folder_ / "outside/file") << "untouched";
  begin();
  fs::remove_all(tree_ / "folder");
  fs::create_directory_symlink(folder_ / "outside", tree_ / "folder");
  step(1);
  end();
  rewind("0");
  EXPECT_EQ(text("folder/file"), "1");
  EXPECT_EQ(bytes_of(folder_ / "outside/file"), "untouched");
  rewind("1");
  EXPECT_TRUE(fs::is_symlink(tree_ / "folder"));
  EXPECT_EQ(bytes_of(folder_ / "outside/file"), "untouched");
}

TEST_F(RewindTest, KilledAnywhereTheSecondRewindFinishes) {
  constexpr int kSteps = 4;
  begin();
  std::vector<std::map<std::string, std::string>> pictures = {picture()};
  for (int number = 1; number <= kSteps; ++number) {
    for (int edits = 0; edits < 12; ++edits) edit();
    step(number);
    pictures.push_back(picture());
  }
  end();
  for (int changes = 0; changes < 12; ++changes) {
    const int target = changes % kSteps;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int left = changes;
      (void)try_rewind(std::to_string(target), false, [&] {
        if (left-- == 0) ::raise(SIGKILL);
        return true;
      });
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    write(".levin-restore.tmp", "half a file");
    // The same target, or another one: neither is the user's change.
    const int second = changes % 2 == 0 ? target : kSteps;
    rewind(std::to_string(second));
    ASSERT_EQ(picture(), pictures.at(static_cast<size_t>(second))) << changes;
  }
}

TEST_F(RewindTest, ARunInProgressIsNotRewound) {
  begin();
  const auto outcome = try_rewind("0");
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().message().find("another levin"), std::string::npos);
}

TEST_F(RewindTest, TheProgramRewindsUndoesAndShows) {
  write("a.txt", "one\n");
  git({"add", "."});
  git({"commit", "-qm", "one"});
  run_commands({"echo two > a.txt; mkdir n; echo q > n/q", "rm -r n; chmod 600 a.txt"});
  const std::string id = newest_id();
  const std::string line = levin({"sessions"}).out;
  EXPECT_EQ(line.substr(0, id.size() + 2), id + "  ");
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_NE(levin({"diff", id}).out.find("-one\n+two\n"), std::string::npos);
  EXPECT_NE(levin({"diff", id + "@1..2"}).out.find("deleted file"), std::string::npos);
  EXPECT_EQ(levin({"diff", id + "@2..2"}).out, "");
  const test::ProgramRun back = levin({"rewind", id + "@1"});
  EXPECT_EQ(back.exit_code, 0) << back.err;
  EXPECT_EQ(text("n/q"), "q\n");
  write("a.txt", "mine\n");
  const test::ProgramRun refused = levin({"undo"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("  a.txt\n"), std::string::npos) << refused.err;
  const test::ProgramRun forced = levin({"undo", "--force"});
  EXPECT_EQ(forced.exit_code, 0) << forced.err;
  EXPECT_NE(forced.out.find(id + "@saved-1"), std::string::npos) << forced.out;
  EXPECT_EQ(text("a.txt"), "one\n");
  EXPECT_FALSE(fs::exists(tree_ / "n"));
  EXPECT_EQ(levin({"rewind", id + "@saved-1"}).exit_code, 0);
  EXPECT_EQ(text("a.txt"), "mine\n");
}

TEST_F(RewindTest, TheProgramSaysWhatIsWrongWithTheRequest) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"rewind", "x"},
                                             {"rewind", "none@0"},
                                             {"rewind", "../up@0"},
                                             {"diff", "none"},
                                             {"diff", "none@1"},
                                             {"undo"}}) {
    const test::ProgramRun run = levin(words);
    EXPECT_EQ(run.exit_code, 2) << words[0];
    EXPECT_NE(run.err, "");
  }
  EXPECT_EQ(levin({"sessions", "--json"}).out, "[]\n");
}

}  // namespace
}  // namespace levin::agent
