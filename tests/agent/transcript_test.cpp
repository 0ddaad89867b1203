#include "agent/transcript.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "agent/paths.h"
#include "base/file_io.h"

namespace levin::agent {
namespace {

class TranscriptTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "levin-transcript-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string session() const { return folder_ + "/sessions/s1"; }
  std::string path() const { return session() + "/transcript.jsonl"; }
  static SessionRecord header() {
    return {"s1", "0.1.0", "/home/u/app", "tiny", "abc", {{"seed", 7}, {"path", "x\xFF"}}};
  }
  static unsigned mode(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777U;
  }

  std::string folder_;
};

std::vector<Record> one_of_each() {
  return {TokensRecord{1, TokensRecord::Source::kPrefilled, {1, 2, 200020}},
          MessageRecord{1, MessageRecord::Role::kUser, "fix \xC3\xA9\n"},
          TokensRecord{1, TokensRecord::Source::kSampled, {}},
          MessageRecord{1, MessageRecord::Role::kReasoning, "hm"},
          MessageRecord{1, MessageRecord::Role::kAssistant, "ok"},
          CallRecord{1, 0, "bash", R"({"command": "ls"})", false},
          ResultRecord{1, 0, "bash", "exit 0", false},
          StateRecord{1, 100, 20, int64_t{1} << 40},
          CheckpointRecord{3, "3", "0123456789abcdef0123456789abcdef01234567"},
          RewindRecord{"saved-1", "0123456789abcdef0123456789abcdef01234567", true},
          EndRecord{false, "script_end", 1}};
}

TEST_F(TranscriptTest, ReadsBackWhatWasAppended) {
  auto transcript = Transcript::create(session(), header());
  ASSERT_TRUE(transcript) << transcript.error().message();
  for (const Record& record : one_of_each()) ASSERT_TRUE(transcript->append(record));
  const auto content = read_transcript(path());
  ASSERT_TRUE(content) << content.error().message();
  EXPECT_EQ(content->cut_bytes, 0U);
  EXPECT_EQ(content->whole_bytes, std::filesystem::file_size(path()));
  const std::vector<Record> expected = one_of_each();
  ASSERT_EQ(content->records.size(), expected.size() + 1);
  EXPECT_EQ(std::get<SessionRecord>(content->records[0]).options["seed"], 7);
  for (size_t index = 0; index < expected.size(); ++index) {
    EXPECT_EQ(to_json(content->records[index + 1]), to_json(expected[index]));
  }
}

TEST_F(TranscriptTest, OnlyTheUserCanReadIt) {
  ASSERT_TRUE(Transcript::create(session(), header()));
  EXPECT_EQ(mode(path()), 0600U);
  EXPECT_EQ(mode(session()), 0700U);
  EXPECT_EQ(mode(folder_ + "/sessions"), 0700U);
}

TEST_F(TranscriptTest, CreateNeverTouchesAnExistingSession) {
  ASSERT_TRUE(Transcript::create(session(), header()));
  const auto second = Transcript::create(session(), header());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kIo);
  EXPECT_NE(second.error().message().find(path()), std::string::npos);
}

TEST_F(TranscriptTest, CutLastLineIsReportedAndGoingOnRemovesIt) {
  { ASSERT_TRUE(Transcript::create(session(), header())); }
  const auto whole = std::filesystem::file_size(path());
  std::ofstream(path(), std::ios::app) << R"({"type":"state","st)";
  const auto cut = read_transcript(path());
  ASSERT_TRUE(cut) << cut.error().message();
  EXPECT_EQ(cut->records.size(), 1U);
  EXPECT_EQ(cut->whole_bytes, whole);
  EXPECT_EQ(cut->cut_bytes, 19U);
  auto transcript = Transcript::reopen(path(), cut->whole_bytes);
  ASSERT_TRUE(transcript) << transcript.error().message();
  ASSERT_TRUE(transcript->append(StateRecord{2, 1, 2, 3}));
  const auto content = read_transcript(path());
  ASSERT_TRUE(content);
  EXPECT_EQ(content->records.size(), 2U);
  EXPECT_EQ(content->cut_bytes, 0U);
}

TEST_F(TranscriptTest, EveryCutOfTheFileIsReadable) {
  auto transcript = Transcript::create(session(), header());
  ASSERT_TRUE(transcript);
  for (const Record& record : one_of_each()) ASSERT_TRUE(transcript->append(record));
  const std::string text = *read_file(path());
  for (size_t size = 0; size <= text.size(); ++size) {
    const std::string cut_path = folder_ + "/cut";
    std::ofstream(cut_path) << text.substr(0, size);
    const auto content = read_transcript(cut_path);
    ASSERT_TRUE(content) << content.error().message();
    EXPECT_EQ(content->whole_bytes + content->cut_bytes, size);
  }
}

TEST_F(TranscriptTest, BrokenLinesAreNamed) {
  const auto message = [&](const std::string& second_line) {
    std::ofstream(path()) << to_json(header()).dump(-1, ' ', true,
                                                    nlohmann::json::error_handler_t::replace)
                          << '\n'
                          << second_line << '\n';
    const auto content = read_transcript(path());
    EXPECT_FALSE(content);
    if (content) return std::string();
    EXPECT_EQ(content.error().code(), ErrorCode::kCorrupt);
    return content.error().message().substr(path().size());
  };
  ASSERT_TRUE(make_directories(session()));
  EXPECT_EQ(message("{oops"), " line 2: not a JSON value");
  EXPECT_EQ(message("[]"), " line 2: expected a JSON object");
  EXPECT_EQ(message(R"({"type":"state","step":"x"})").substr(0, 8), " line 2:");
  EXPECT_EQ(message(R"({"type":"tokens","step":1,"source":"sampled","ids":[1,"a"]})"),
            " line 2: ids: expected token ids, found \"a\"");
  EXPECT_EQ(message(R"({"type":"tokens","step":1,"source":"sampled","ids":[4294967296]})"),
            " line 2: ids: expected token ids, found 4294967296");
  EXPECT_EQ(message(R"({"type":"message","step":1,"role":"x","text":""})"),
            " line 2: role: expected user, assistant or reasoning, found \"x\"");
  EXPECT_EQ(
      message(to_json(header()).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)),
      " line 2: expected a session record on the first line and on no other");
}

TEST_F(TranscriptTest, FullDiskSaysWhichFileAndWhy) {
  const std::string link = folder_ + "/full";
  ASSERT_EQ(::symlink("/dev/full", link.c_str()), 0);
  auto transcript = Transcript::reopen(link, 0);
  ASSERT_TRUE(transcript) << transcript.error().message();
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto result = transcript->append(StateRecord{1, 2, 3, 4});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kIo);
    EXPECT_EQ(result.error().message(), "cannot write " + link + ": No space left on device");
  }
}

TEST_F(TranscriptTest, TwoWritersCannotShareASession) {
  auto first = Transcript::create(session(), header());
  ASSERT_TRUE(first);
  const auto second = Transcript::reopen(path(), 0);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message(), "another levin is using the session of " + path());
  EXPECT_GT(std::filesystem::file_size(path()), 0U);
}

TEST_F(TranscriptTest, MissingFileIsNotFound) {
  const auto content = read_transcript(path());
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().code(), ErrorCode::kNotFound);
}

TEST(SessionId, SortsByTimeAndEndsInSixDigits) {
  EXPECT_EQ(make_session_id(1795515300, 0xFFAB12CD), "20261124-101500-ab12cd");
  EXPECT_EQ(make_session_id(0, 5), "19700101-000000-000005");
  EXPECT_EQ(new_session_id().size(), 22U);
  EXPECT_NE(new_session_id(), new_session_id());
}

class PathsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"LEVIN_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"}) {
      ::unsetenv(name);
    }
    ::setenv("HOME", "/home/u", 1);
  }
};

TEST_F(PathsTest, FollowTheXdgVariables) {
  EXPECT_EQ(*state_folder(), "/home/u/.local/state/levin");
  EXPECT_EQ(*cache_folder(), "/home/u/.cache/levin");
  EXPECT_EQ(*config_folder(), "/home/u/.config/levin");
  ::setenv("XDG_STATE_HOME", "/s", 1);
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(*state_folder(), "/s/levin");
  EXPECT_EQ(*cache_folder(), "/home/u/.cache/levin");
  EXPECT_EQ(*session_folder("20261124-101500-ab12cd"), "/s/levin/sessions/20261124-101500-ab12cd");
}

TEST_F(PathsTest, LevinHomePutsAllUnderOneFolder) {
  ::setenv("LEVIN_HOME", "/l", 1);
  ::setenv("XDG_STATE_HOME", "/s", 1);
  EXPECT_EQ(*state_folder(), "/l/state");
  EXPECT_EQ(*cache_folder(), "/l/cache");
  EXPECT_EQ(*config_folder(), "/l/config");
  ::setenv("LEVIN_HOME", "l", 1);
  EXPECT_EQ(state_folder().error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(PathsTest, SessionIdsCannotLeadOutOfTheFolder) {
  for (const char* id : {"", "..", "../x", "a/b", "a b", "a\n"}) {
    EXPECT_FALSE(session_folder(id)) << id;
  }
}

}  // namespace
}  // namespace levin::agent
