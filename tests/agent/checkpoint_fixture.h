// A git repository and a state folder of their own, and pictures of what a work tree holds.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "agent/paths.h"
#include "agent/session_checkpoints.h"
#include "tests/support/run_program.h"

namespace levin::agent {

namespace fs = std::filesystem;

inline std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class CheckpointFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "levin-checkpoint-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = fs::canonical(name);
    tree_ = folder_ / "tree";
    fs::create_directories(tree_);
    ::setenv("LEVIN_HOME", (folder_ / "levin").c_str(), 1);
    ::setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    ::setenv("GIT_CONFIG_SYSTEM", "/dev/null", 1);
    ::setenv("HOME", folder_.c_str(), 1);
    git({"init", "-q", "-b", "main", "."});
    git({"config", "user.name", "T"});
    git({"config", "user.email", "t@example.org"});
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string git(std::vector<std::string> words, const fs::path& where = {}) const {
    words.insert(words.begin(), "git");
    test::ProgramOptions options;
    options.folder = where.empty() ? tree_ : where;
    const test::ProgramRun run = test::run_program(words, options);
    EXPECT_EQ(run.exit_code, 0) << words[1] << ": " << run.err;
    return run.out;
  }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((tree_ / path).parent_path());
    std::ofstream(tree_ / path, std::ios::binary) << text;
  }
  std::string text(const std::string& path) const { return bytes_of(tree_ / path); }

  // Path -> kind, mode and content of all but `.git`.
  std::map<std::string, std::string> picture() const {
    std::map<std::string, std::string> out;
    for (auto entry = fs::recursive_directory_iterator(tree_); entry != fs::end(entry); ++entry) {
      if (entry->path().filename() == ".git") {
        entry.disable_recursion_pending();
        continue;
      }
      struct stat status {};
      EXPECT_EQ(::lstat(entry->path().c_str(), &status), 0);
      const std::string mode = std::to_string(status.st_mode);
      std::string& what = out[fs::relative(entry->path(), tree_).string()];
      if (entry->is_symlink()) {
        what = "link " + fs::read_symlink(entry->path()).string();
      } else {
        what = mode + (entry->is_directory() ? "" : " " + bytes_of(entry->path()));
      }
    }
    return out;
  }

  // Begins a session: header, checkpoint @0, a request.
  void begin(const std::string& id = "s1") {
    id_ = id;
    SessionRecord header;
    header.id = id;
    header.workspace = tree_.string();
    const std::string session = *session_folder(id);
    auto transcript = Transcript::create(session, header);
    ASSERT_TRUE(transcript) << transcript.error().message();
    transcript_.emplace(*std::move(transcript));
    auto store = CheckpointStore::open(tree_.string(), session);
    ASSERT_TRUE(store) << store.error().message();
    checkpointer_.emplace(*std::move(store));
    step(0);
    ASSERT_TRUE(transcript_->append(MessageRecord{0, MessageRecord::Role::kUser, "do it"}));
  }
  CheckpointRecord step(int number) {
    auto saved = checkpointer_->save(number);
    EXPECT_TRUE(saved) << saved.error().message();
    if (!saved) return {};
    EXPECT_TRUE(transcript_->append(*saved));
    return *saved;
  }
  // The run is over: its locks and caches are released.
  void end() {
    transcript_.reset();
    checkpointer_.reset();
  }
  Result<RewindOutcome> try_rewind(const std::string& name, bool force = false,
                                   const std::function<bool()>& go_on = nullptr) const {
    return rewind_session(id_, name, force, go_on);
  }
  void rewind(const std::string& name, bool force = false) const {
    const auto outcome = try_rewind(name, force);
    ASSERT_TRUE(outcome) << outcome.error().message();
    ASSERT_TRUE(outcome->lost.empty()) << outcome->lost.front();
    ASSERT_TRUE(outcome->report.left_alone.empty()) << outcome->report.left_alone.front();
  }

  fs::path folder_;
  fs::path tree_;
  std::string id_;
  std::optional<Transcript> transcript_;
  std::optional<SessionCheckpointer> checkpointer_;
};

}  // namespace levin::agent
