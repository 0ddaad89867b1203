// Whole-file reads and atomic writes: what a reader sees when a write fails half way.
#include "base/file_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "tests/base/temporary_folder.h"

namespace levin {
namespace {

// Files of this process may not grow past `bytes` while one lives: write(2) fails as on a full
// disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int) = SIG_DFL;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

TEST(FileIo, WritesAndReadsAnyBytes) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a");
  std::string content(200000, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 % 256);
  for (const std::string& one : {std::string(), std::string("x"), content}) {
    ASSERT_TRUE(write_file_atomic(path, one));
    const Result<std::string> back = read_file(path);
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, one);
    EXPECT_EQ(folder.num_entries(), 1u) << "a temporary file was left";
  }
}

TEST(FileIo, GivesTheModeAskedFor) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("plain"), "x"));
  ASSERT_TRUE(write_file_atomic(folder.file("secret"), "x", 0600));
  EXPECT_EQ(mode_of(folder.file("plain")), mode_t{0644});
  EXPECT_EQ(mode_of(folder.file("secret")), mode_t{0600});
}

TEST(FileIo, AFailedWriteKeepsTheOldContentAndLeavesNothing) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a");
  ASSERT_TRUE(write_file_atomic(path, "old"));
  Result<void> written;
  {
    const FileSizeLimit limit(4096);
    written = write_file_atomic(path, std::string(100000, 'n'));
  }
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::kIo);
  EXPECT_NE(written.error().message().find(path), std::string::npos) << written.error().message();
  EXPECT_NE(written.error().message().find("File too large"), std::string::npos);
  EXPECT_EQ(*read_file(path), "old");
  EXPECT_EQ(folder.num_entries(), 1u);
}

// Root may write anywhere: for this test it becomes nobody, who owns nothing here.
TEST(FileIo, AReadOnlyFolderRefusesTheWrite) {
  constexpr uid_t kNobody = 65534;
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("a"), "old"));
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  const bool is_root = ::geteuid() == 0;
  if (is_root && ::seteuid(kNobody) != 0) GTEST_SKIP() << "cannot give up the rights of root";
  const Result<void> written = write_file_atomic(folder.file("a"), "new");
  ASSERT_TRUE(!is_root || ::seteuid(0) == 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0700), 0);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::kIo);
  EXPECT_EQ(*read_file(folder.file("a")), "old");
  EXPECT_EQ(folder.num_entries(), 1u);
}

TEST(FileIo, AFolderInTheWayIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  ASSERT_TRUE(make_directories(folder.file("taken/inside")));
  const Result<void> written = write_file_atomic(folder.file("taken"), "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::kIo);
  EXPECT_EQ(folder.num_entries(), 1u);
  EXPECT_FALSE(write_file_atomic(folder.file("absent/a"), "x"));
}

// A reader that opened the old file goes on reading the old content.
TEST(FileIo, AnOpenReaderKeepsWhatItOpened) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("a"), "old"));
  const UniqueFd reader(::open(folder.file("a").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(write_file_atomic(folder.file("a"), "new"));
  char buffer[8] = {};
  ASSERT_EQ(::read(reader.get(), buffer, sizeof buffer), 3);
  EXPECT_STREQ(buffer, "old");
}

TEST(FileIo, ReadErrorsAreNamed) {
  const TemporaryFolder folder;
  const Result<std::string> absent = read_file(folder.file("absent"));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(absent.error().message().find("absent"), std::string::npos);
  const Result<std::string> directory = read_file(folder.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code(), ErrorCode::kIo);
}

TEST(FileIo, TheReadLimitIsInclusive) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("a"), "12345"));
  EXPECT_TRUE(read_file(folder.file("a"), 5));
  const Result<std::string> over = read_file(folder.file("a"), 4);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code(), ErrorCode::kLimit);
  EXPECT_FALSE(read_file("/dev/zero", 1 << 20)) << "an endless file ends at the limit";
}

TEST(FileIo, WriteAllReportsAFullDevice) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full) GTEST_SKIP() << "no /dev/full here";
  const Result<void> written = write_all(full.get(), "x", "the full device");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::kIo);
  EXPECT_NE(written.error().message().find("the full device"), std::string::npos);
  EXPECT_TRUE(write_all(-1, "", "nothing")) << "nothing to write cannot fail";
}

TEST(FileIo, MakesFoldersWithTheirMode) {
  const TemporaryFolder folder;
  ASSERT_TRUE(make_directories(folder.file("a/b//c/")));
  EXPECT_EQ(mode_of(folder.file("a/b")), mode_t{0700});
  EXPECT_EQ(mode_of(folder.file("a/b/c")), mode_t{0700});
  EXPECT_TRUE(make_directories(folder.file("a/b/c"))) << "what exists is fine";
  EXPECT_TRUE(make_directories("/"));
  ASSERT_TRUE(write_file_atomic(folder.file("a/file"), "x"));
  EXPECT_FALSE(make_directories(folder.file("a/file")));
  EXPECT_FALSE(make_directories(folder.file("a/file/b")));
  EXPECT_FALSE(make_directories(""));
}

TEST(UniqueFd, ClosesOnce) {
  int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  {
    UniqueFd first(fd);
    UniqueFd second = std::move(first);
    EXPECT_EQ(second.get(), fd);
    UniqueFd third;
    third = std::move(second);
    EXPECT_TRUE(third);
    EXPECT_EQ(::fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  }
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
  fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  UniqueFd owner(fd);
  EXPECT_EQ(owner.release(), fd);
  owner.reset();
  EXPECT_NE(::fcntl(fd, F_GETFD), -1);
  ::close(fd);
}

}  // namespace
}  // namespace levin
