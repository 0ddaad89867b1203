// Conversations with branches: whatever is appended, cut and gone back to, the log is the one of
// that moment.
#include "agent/session_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "agent/continuation.h"

namespace levin::agent {
namespace {

using Ids = std::vector<engine::TokenId>;

TEST(TokenTreeTest, EveryPlaceKeepsItsLog) {
  std::mt19937 random(20261124);
  TokenTree tree;
  std::vector<std::pair<TokenTree::Place, Ids>> places;
  Ids log;
  for (int round = 0; round < 3000; ++round) {
    const auto choice = random() % 8;
    if (choice < 5) {
      Ids ids(random() % 5);
      for (auto& id : ids) id = static_cast<engine::TokenId>(random() % 1000);
      tree.append(ids);
      log.insert(log.end(), ids.begin(), ids.end());
    } else if (choice < 7 || places.empty()) {
      log.resize(log.size() - random() % (log.size() + 1) / (1 + random() % 20));
      tree.cut(log.size());
    } else {
      const auto& [place, was] = places[random() % places.size()];
      tree.go_to(place);
      log = was;
    }
    ASSERT_EQ(tree.length(), log.size());
    ASSERT_EQ(tree.log(), log) << "round " << round;
    places.emplace_back(tree.here(), log);
  }
}

class SessionReaderTest : public testing::Test {
 protected:
  static constexpr auto kSampled = TokensRecord::Source::kSampled;
  static constexpr auto kPrefilled = TokensRecord::Source::kPrefilled;

  void prefill(int step, Ids ids) { records_.emplace_back(TokensRecord{step, kPrefilled, ids}); }
  void sample(int step, Ids ids) { records_.emplace_back(TokensRecord{step, kSampled, ids}); }
  void checkpoint(int step) {
    records_.emplace_back(CheckpointRecord{step, std::to_string(step), "c" + std::to_string(step)});
  }
  void request(Ids ids) {
    records_.emplace_back(MessageRecord{0, MessageRecord::Role::kUser, "do it"});
    prefill(0, std::move(ids));
  }
  void rewind(const std::string& name, size_t length) {
    records_.emplace_back(RewindRecord{name, "c", false});
    records_.emplace_back(RewindRecord{name, "c", true, length});
  }
  // Two steps with calls and an answer.
  void first_run() {
    records_.emplace_back(SessionRecord{});
    checkpoint(0);
    prefill(0, {1, 2});
    request({3});
    prefill(1, {9});
    sample(1, {10, 11});
    checkpoint(1);
    prefill(1, {12});
    prefill(2, {9});
    sample(2, {20});
    checkpoint(2);
    prefill(2, {21});
    prefill(3, {9});
    sample(3, {30});
    records_.emplace_back(EndRecord{true, "", 0});
  }
  Continuation continuation() const {
    TranscriptContent content;
    content.records = records_;
    auto result = read_continuation(content, {9});
    EXPECT_TRUE(result) << result.error().message();
    return result ? *std::move(result) : Continuation();
  }
  SessionReader reader() const {
    SessionReader reader;
    EXPECT_TRUE(reader.read(records_));
    return reader;
  }

  std::vector<Record> records_;
};

TEST_F(SessionReaderTest, ACheckpointIsFollowedByTheNextReply) {
  first_run();
  EXPECT_EQ(continuation().end, LogEnd::kAnswered);
  EXPECT_EQ(reader().moment_of("0")->place.length, 4u);
  EXPECT_EQ(reader().moment_of("1")->place.length, 8u);
  EXPECT_EQ(reader().moment_of("2")->place.length, 11u);
  EXPECT_EQ(reader().moment_of("3"), nullptr);
  rewind("1", 8);
  const Continuation back = continuation();
  EXPECT_EQ(back.log, (Ids{1, 2, 3, 9, 10, 11, 12, 9}));
  EXPECT_EQ(back.end, LogEnd::kAtReplyStart);
  EXPECT_EQ(back.step, 1);
  EXPECT_EQ(back.last_step, 3);
  EXPECT_EQ(back.replies_sampled, 1u);
}

TEST_F(SessionReaderTest, ABranchThatWasLeftCanBeGoneBackTo) {
  first_run();
  rewind("1", 8);
  checkpoint(1);
  sample(4, {40});
  checkpoint(4);
  prefill(4, {41});
  rewind("2", 11);
  EXPECT_EQ(continuation().log, (Ids{1, 2, 3, 9, 10, 11, 12, 9, 20, 21, 9}));
  rewind("4", 10);
  EXPECT_EQ(continuation().log, (Ids{1, 2, 3, 9, 10, 11, 12, 9, 40, 41}));
  EXPECT_EQ(continuation().end, LogEnd::kBetweenReplies);
}

TEST_F(SessionReaderTest, UndoTakesOneRequestAfterAnotherAway) {
  first_run();
  checkpoint(3);
  prefill(0, {13});
  request({4});
  prefill(4, {9});
  sample(4, {50});
  const Request* const second = reader().last_request();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->checkpoint.name, "3");
  rewind(second->checkpoint.name, second->before.place.length);
  EXPECT_EQ(continuation().end, LogEnd::kAnswered);
  EXPECT_EQ(continuation().log.back(), 30);
  const SessionReader again = reader();
  ASSERT_NE(again.last_request(), nullptr);
  EXPECT_EQ(again.last_request()->checkpoint.name, "0");
  rewind("0", again.last_request()->before.place.length);
  EXPECT_EQ(continuation().end, LogEnd::kEmpty);
  EXPECT_EQ(continuation().replies_sampled, 0u);
  EXPECT_EQ(reader().last_request(), nullptr);
  // And forward again: nothing is lost.
  rewind("3", 15);
  EXPECT_EQ(continuation().log, (Ids{1, 2, 3, 9, 10, 11, 12, 9, 20, 21, 9, 30, 13, 4, 9}));
}

TEST_F(SessionReaderTest, AReplyAfterAnAnswerIsNoAnswerUntilItsRunSaysSo) {
  first_run();
  checkpoint(3);
  request({4});
  prefill(4, {9});
  sample(4, {50});
  EXPECT_EQ(continuation().end, LogEnd::kReplyBroken);
}

TEST_F(SessionReaderTest, OlderRewindsMovedFilesOnly) {
  first_run();
  records_.emplace_back(RewindRecord{"1", "c", true});
  EXPECT_EQ(continuation().end, LogEnd::kAnswered);
}

TEST_F(SessionReaderTest, ARewindBeyondItsCheckpointIsRefused) {
  first_run();
  for (const auto& [name, length] : {std::pair<std::string, size_t>{"1", 9}, {"7", 0}}) {
    std::vector<Record> records = records_;
    records.emplace_back(RewindRecord{name, "c", true, length});
    SessionReader reader;
    const auto result = reader.read(records);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace levin::agent
