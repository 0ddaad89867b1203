// Checkpoints of all kinds of repositories: what they hold, and what they leave alone.
#include "agent/checkpoint.h"

#include <fcntl.h>

#include "agent/git_workspace.h"
#include "agent/stat_cache.h"
#include "tests/agent/checkpoint_fixture.h"

namespace levin::agent {
namespace {

class CheckpointTest : public CheckpointFixture {};

TEST_F(CheckpointTest, EmptyRepositoryWithoutACommit) {
  write("new", "1");
  begin();
  write("new", "2");
  write("more/deep", "3");
  step(1);
  end();
  rewind("0");
  EXPECT_EQ(text("new"), "1");
  EXPECT_FALSE(fs::exists(tree_ / "more"));
  rewind("1");
  EXPECT_EQ(text("more/deep"), "3");
}

TEST_F(CheckpointTest, BytesAreRawWhateverFiltersAndHooksSay) {
  git({"config", "core.autocrlf", "true"});
  git({"config", "filter.mark.clean", "touch ../filter-ran; cat"});
  git({"config", "filter.mark.smudge", "touch ../filter-ran; cat"});
  git({"config", "filter.mark.required", "true"});
  write(".gitattributes", "* text eol=crlf filter=mark\n");
  const fs::path hook = tree_ / ".git/hooks/reference-transaction";
  fs::create_directories(hook.parent_path());
  std::ofstream(hook) << "#!/bin/sh\ntouch " << (folder_ / "hook-ran").string() << "\n";
  fs::permissions(hook, fs::perms::all);
  const std::string bytes("a\r\nb\n\0c\xFF\r", 9);
  write("raw", bytes);
  write("empty", "");
  begin();
  write("raw", "gone");
  fs::remove(tree_ / "empty");
  step(1);
  end();
  rewind("0");
  EXPECT_EQ(text("raw"), bytes);
  EXPECT_TRUE(fs::exists(tree_ / "empty"));
  EXPECT_FALSE(fs::exists(folder_ / "filter-ran"));
  EXPECT_FALSE(fs::exists(folder_ / "hook-ran"));
}

TEST_F(CheckpointTest, AllModeBitsAndEmptyFoldersComeBack) {
  const auto mode_of = [&](const char* path) {
    struct stat status {};
    EXPECT_EQ(::lstat((tree_ / path).c_str(), &status), 0);
    return status.st_mode & 07777U;
  };
  const std::vector<std::pair<const char*, mode_t>> modes = {
      {"a", 0600}, {"b%\n", 0751}, {"c", 0444}, {"d", 04755}, {"e", 0}};
  for (const auto& [path, mode] : modes) {
    write(path, path);
    ASSERT_EQ(::chmod((tree_ / path).c_str(), mode), 0);
  }
  fs::create_directories(tree_ / "empty/inner");
  write("closed/file", "x");
  ASSERT_EQ(::chmod((tree_ / "empty/inner").c_str(), 0711), 0);
  ASSERT_EQ(::chmod((tree_ / "closed").c_str(), 0555), 0);
  begin();
  for (const auto& [path, mode] : modes) ASSERT_EQ(::chmod((tree_ / path).c_str(), 0644), 0);
  fs::remove_all(tree_ / "empty");
  ASSERT_EQ(::chmod((tree_ / "closed").c_str(), 0755), 0);
  write("closed/file", "y");
  step(1);
  end();
  rewind("0");
  for (const auto& [path, mode] : modes) EXPECT_EQ(mode_of(path), mode) << path;
  EXPECT_EQ(mode_of("empty/inner"), 0711U);
  EXPECT_EQ(mode_of("closed"), 0555U);
  EXPECT_EQ(text("closed/file"), "x");
  rewind("1");
  EXPECT_EQ(mode_of("closed"), 0755U);
  EXPECT_FALSE(fs::exists(tree_ / "empty"));
}

TEST_F(CheckpointTest, IgnoredFilesAreNeverTouchedEvenWhenRulesChange) {
  write(".gitignore", "*.secret\nout/\n");
  write("key.secret", "k");
  write("out/built", "b");
  write("plain.log", "first");
  begin();
  fs::remove(tree_ / ".gitignore");  // Now they look new.
  step(1);
  write(".gitignore", "*.log\n");  // And what was followed looks ignored.
  write("plain.log", "second");
  step(2);
  end();
  rewind("1");
  EXPECT_EQ(text("plain.log"), "first");
  rewind("0");
  EXPECT_EQ(text("key.secret"), "k");
  EXPECT_EQ(text("out/built"), "b");
  EXPECT_EQ(text("plain.log"), "first");
  EXPECT_EQ(text(".gitignore"), "*.secret\nout/\n");
}

TEST_F(CheckpointTest, TrackedFilesInIgnoredFoldersAreHeld) {
  write(".gitignore", "build/\n");
  write("build/kept", "1");
  write("build/other", "o");
  git({"add", "-f", "build/kept", ".gitignore"});
  begin();
  write("build/kept", "2");
  write("build/other", "p");
  step(1);
  end();
  rewind("0");
  EXPECT_EQ(text("build/kept"), "1");
  EXPECT_EQ(text("build/other"), "p");
}

TEST_F(CheckpointTest, SubmodulesAndNestedRepositoriesAreLeftAlone) {
  write("sub/file", "1");
  git({"init", "-q", "."}, tree_ / "sub");
  git({"-c", "user.name=T", "-c", "user.email=t@x", "add", "."}, tree_ / "sub");
  git({"-c", "user.name=T", "-c", "user.email=t@x", "commit", "-qm", "one"}, tree_ / "sub");
  git({"-c", "advice.addEmbeddedRepo=false", "add", "sub"});
  begin();
  write("sub/file", "2");
  write("clone/file", "c");
  git({"init", "-q", "."}, tree_ / "clone");
  step(1);
  end();
  const auto outcome = try_rewind("0");
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_TRUE(outcome->report.left_alone.empty());
  EXPECT_EQ(outcome->report.notes.size(), 1U);
  EXPECT_EQ(text("sub/file"), "2");
  EXPECT_EQ(text("clone/file"), "c");
}

TEST_F(CheckpointTest, AFolderThatBecomesARepositoryIsStillRestored) {
  write("part/file", "1");
  begin();
  git({"init", "-q", "."}, tree_ / "part");
  write("part/file", "2");
  step(1);
  end();
  rewind("0");
  EXPECT_EQ(text("part/file"), "1");
}

TEST_F(CheckpointTest, LinkedWorktreeUsesTheCommonStore) {
  write("a", "1");
  git({"add", "."});
  git({"commit", "-qm", "one"});
  git({"worktree", "add", "-q", "../linked"});
  const fs::path main_tree = tree_;
  tree_ = folder_ / "linked";
  begin();
  write("a", "2");
  step(1);
  end();
  rewind("0");
  EXPECT_EQ(text("a"), "1");
  EXPECT_EQ(bytes_of(main_tree / "a"), "1");
  EXPECT_NE(git({"for-each-ref", "refs/levin"}, main_tree).find("refs/levin/s1/1"),
            std::string::npos);
}

TEST_F(CheckpointTest, IndexHeadAndStashStayAsTheyWere) {
  write("a", "1");
  write("b", "1");
  git({"add", "."});
  git({"commit", "-qm", "one"});
  write("b", "stashed");
  git({"stash", "-q"});
  write("a", "staged");
  git({"add", "a"});
  write("a", "staged, then dirty");
  const std::string status = git({"--no-optional-locks", "status", "--porcelain=v2", "--branch"});
  const std::string stash = git({"stash", "list"});
  std::ofstream(tree_ / ".git/index.lock") << "held by someone else";
  const std::string index = bytes_of(tree_ / ".git/index");
  begin();
  write("a", "agent");
  write("c", "agent");
  step(1);
  end();
  rewind("0");
  EXPECT_EQ(bytes_of(tree_ / ".git/index"), index);
  EXPECT_EQ(bytes_of(tree_ / ".git/index.lock"), "held by someone else");
  fs::remove(tree_ / ".git/index.lock");
  EXPECT_EQ(git({"--no-optional-locks", "status", "--porcelain=v2", "--branch"}), status);
  EXPECT_EQ(git({"stash", "list"}), stash);
  EXPECT_EQ(git({"fsck", "--strict"}), "");
}

TEST_F(CheckpointTest, UnchangedTreeIsTheSameCheckpoint) {
  write("a", "1");
  begin();
  const std::string first = step(1).commit;
  EXPECT_EQ(step(2).commit, first);
  ASSERT_EQ(::chmod((tree_ / "a").c_str(), 0640), 0);
  const std::string second = step(3).commit;
  EXPECT_NE(second, first);
  EXPECT_EQ(step(4).commit, second);
}

TEST_F(CheckpointTest, AChangeThatHidesItsTimeIsSeen) {
  write("a", "old");
  begin();
  struct stat before {};
  ASSERT_EQ(::stat((tree_ / "a").c_str(), &before), 0);
  for (int number = 1; number < 20; ++number) {
    write("a", "n" + std::to_string(10 + number));
    const timespec times[] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, (tree_ / "a").c_str(), times, 0), 0);
    step(number);
  }
  end();
  for (const int number : {3, 19, 1, 0}) {
    rewind(std::to_string(number));
    EXPECT_EQ(text("a"), number == 0 ? "old" : "n" + std::to_string(10 + number));
  }
}

TEST_F(CheckpointTest, ALostRepositoryStartsAfresh) {
  write("a", "1");
  begin();
  fs::remove_all(tree_ / ".git");
  git({"init", "-q", "."});
  write("a", "2");
  step(1);
  write("a", "3");
  step(2);
  end();
  rewind("1");
  EXPECT_EQ(text("a"), "2");
  const auto gone = try_rewind("0");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), ErrorCode::kNotFound);
}

TEST_F(CheckpointTest, NamesThatLeadIntoGitAreRefused) {
  write("a", "1");
  begin();
  const std::string blob = git({"hash-object", "-w", "a"}).substr(0, 40);
  std::string tree("100644 .GIT\0", 12);
  const ObjectId id = *ObjectId::from_hex(blob);
  tree.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  std::ofstream(folder_ / "raw", std::ios::binary) << tree;
  const std::string tree_id =
      git({"hash-object", "-w", "-t", "tree", "--literally", "../raw"}).substr(0, 40);
  const std::string commit = git({"commit-tree", tree_id, "-m", "x"}).substr(0, 40);
  ASSERT_TRUE(transcript_->append(CheckpointRecord{9, "9", commit}));
  end();
  const auto outcome = try_rewind("9");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), ErrorCode::kCorrupt);
}

TEST_F(CheckpointTest, NoRepositoryNeedsAPrivateOne) {
  const fs::path plain = folder_ / "plain";
  fs::create_directories(plain);
  std::ofstream(plain / "a") << "1";
  auto store = CheckpointStore::open_private(plain.string(), *session_folder("s2"));
  ASSERT_TRUE(store) << store.error().message();
  const auto snapshot = store->read(nullptr);
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  const auto saved = store->save(*snapshot, nullptr, "0");
  ASSERT_TRUE(saved) << saved.error().message();
  EXPECT_EQ(*store->load(*saved), snapshot->manifest);
  EXPECT_EQ(snapshot->manifest.size(), 1U);
  EXPECT_FALSE(fs::exists(plain / ".git"));
}

TEST_F(CheckpointTest, BareAndSha256RepositoriesAreRefusedInWords) {
  git({"init", "-q", "--bare", "../bare"});
  git({"init", "-q", "--object-format=sha256", "../long"});
  const auto bare = find_work_tree((folder_ / "bare").string());
  ASSERT_FALSE(bare);
  EXPECT_NE(bare.error().message().find("bare"), std::string::npos);
  const auto sha256 = find_work_tree((folder_ / "long").string());
  ASSERT_FALSE(sha256);
  EXPECT_EQ(sha256.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(sha256.error().message().find("sha256"), std::string::npos);
}

TEST_F(CheckpointTest, ABrokenStatCacheIsNoCache) {
  StatCache cache;
  cache.files["a"] = {FileStamp{1, 2, 3, 4, 5, 6}, ObjectId{{7}}};
  cache.trees[""] = ObjectId{{8}};
  const std::string path = (folder_ / "cache").string();
  ASSERT_TRUE(cache.save(path));
  EXPECT_EQ(StatCache::load(path).files.at("a").stamp, (FileStamp{1, 2, 3, 4, 5, 6}));
  const std::string whole = bytes_of(path);
  for (size_t size = 0; size < whole.size(); ++size) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    EXPECT_TRUE(StatCache::load(path).files.empty()) << size;
    std::string flipped = whole;
    flipped[size] = static_cast<char>(flipped[size] ^ 1);
    std::ofstream(path, std::ios::binary) << flipped;
    EXPECT_TRUE(StatCache::load(path).files.empty()) << size;
  }
}

}  // namespace
}  // namespace levin::agent
