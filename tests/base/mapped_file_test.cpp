// Mapped files: content, moves, and what cannot be mapped.
#include "base/mapped_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/file_io.h"
#include "tests/base/temporary_folder.h"

namespace levin {
namespace {

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheBytesOfAFile) {
  const TemporaryFolder folder;
  std::string content(100001, 'a');
  content.back() = 'z';
  ASSERT_TRUE(write_file_atomic(folder.file("a"), content));
  const Result<MappedFile> file = MappedFile::open(folder.file("a"));
  ASSERT_TRUE(file);
  EXPECT_EQ(text_of(*file), content);
}

TEST(MappedFile, AnEmptyFileIsAnEmptySpan) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("a"), ""));
  const Result<MappedFile> file = MappedFile::open(folder.file("a"));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->bytes().empty());
}

TEST(MappedFile, MovesKeepTheAddress) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("a"), "first"));
  ASSERT_TRUE(write_file_atomic(folder.file("b"), "second"));
  Result<MappedFile> a = MappedFile::open(folder.file("a"));
  Result<MappedFile> b = MappedFile::open(folder.file("b"));
  ASSERT_TRUE(a);
  ASSERT_TRUE(b);
  const std::byte* at = a->bytes().data();
  MappedFile moved = *std::move(a);
  EXPECT_EQ(moved.bytes().data(), at);
  EXPECT_TRUE(a->bytes().empty());
  moved = *std::move(b);
  EXPECT_EQ(text_of(moved), "second");
}

// The file may be replaced (as write_file_atomic does) or removed: the mapping stays.
TEST(MappedFile, OutlivesTheName) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("a"), "old"));
  const Result<MappedFile> file = MappedFile::open(folder.file("a"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(write_file_atomic(folder.file("a"), "new, and longer"));
  EXPECT_EQ(text_of(*file), "old");
}

TEST(MappedFile, RefusesWhatIsNotAFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(MappedFile::open(folder.file("absent")).error().code(), ErrorCode::kNotFound);
  const Result<MappedFile> directory = MappedFile::open(folder.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(directory.error().message().find(folder.path()), std::string::npos);
  EXPECT_EQ(MappedFile::open("/dev/null").error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace levin
