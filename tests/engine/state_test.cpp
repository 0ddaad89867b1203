// Snapshots, forks, rewinds and files of a session: whatever way the tokens come and go, the logits
// are those of an unbroken run, bit for bit (same kernels, same thread count or not).
#include <gtest/gtest.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/file_io.h"
#include "engine/session.h"
#include "engine/state_file.h"

namespace levin::engine {
namespace {

const std::string kGoldens = std::string(LEVIN_SOURCE_DIR) + "/tests/golden/minimax_m1/";

class StateTest : public testing::Test {
 protected:
  void SetUp() override {
    open("alt_0101", 1);
    std::string pattern = (std::filesystem::temp_directory_path() / "levin-state-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void open(const std::string& golden, int threads) {
    kernels::CpuOptions cpu;
    cpu.num_threads = threads;
    auto device = kernels::make_cpu_device(cpu);
    ASSERT_TRUE(device);
    device_ = std::move(*device);
    auto model = load_model(kGoldens + golden);
    ASSERT_TRUE(model) << model.error().message();
    model_ = std::move(*model);
  }

  Session session(int64_t chunk = 256, size_t anchor_bytes = size_t{1} << 30) {
    SessionOptions options;
    options.prefill_chunk_tokens = chunk;
    options.anchor_bytes_max = anchor_bytes;
    options.kv_dtype = kv_dtype_;
    auto opened = Session::open(*model_, *device_, options);
    EXPECT_TRUE(opened);
    return *std::move(opened);
  }

  std::vector<TokenId> tokens(size_t count) {
    std::vector<TokenId> ids(count);
    for (TokenId& id : ids)
      id = static_cast<TokenId>(random_() % static_cast<uint64_t>(model_->config.vocab_size));
    return ids;
  }

  // Logits after `log`, computed at once in a new session.
  std::vector<float> unbroken(const std::vector<TokenId>& log) {
    Session fresh = session();
    EXPECT_TRUE(fresh.append(log));
    const auto logits = fresh.logits();
    EXPECT_TRUE(logits);
    return {logits->begin(), logits->end()};
  }

  void expect_same(Session& one, const std::string& what) {
    const auto logits = one.logits();
    ASSERT_TRUE(logits) << what;
    const std::vector<float> expected = unbroken(one.token_log());
    ASSERT_EQ(std::memcmp(logits->data(), expected.data(), expected.size() * sizeof(float)), 0)
        << what << " at " << one.token_log().size() << " tokens";
  }

  kernels::DType kv_dtype_ = kernels::DType::kF32;
  std::mt19937_64 random_{7};
  std::unique_ptr<kernels::Device> device_;
  std::unique_ptr<Model> model_;
  std::string folder_;
};

TEST_F(StateTest, AnySplitGivesTheSameBitsWithABfloat16Cache) {
  kv_dtype_ = kernels::DType::kBF16;
  const std::vector<TokenId> log = tokens(KvCache::kPageTokens + 76);
  const std::vector<float> expected = unbroken(log);
  for (const int64_t chunk : {1, 7, 64, 65, 300}) {
    Session one = session(chunk);
    ASSERT_TRUE(one.append(log));
    const auto logits = one.logits();
    ASSERT_TRUE(logits);
    EXPECT_EQ(std::memcmp(logits->data(), expected.data(), expected.size() * sizeof(float)), 0)
        << chunk;
  }
}

// What the default cache of native precision costs: largest difference over the largest logit.
// Measured: 2.0e-3.
TEST_F(StateTest, ABfloat16CacheStaysNearFloat32) {
  const std::vector<TokenId> log = tokens(333);
  const std::vector<float> exact = unbroken(log);
  kv_dtype_ = kernels::DType::kBF16;
  const std::vector<float> rounded = unbroken(log);
  float largest = 0;
  float difference = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    difference = std::max(difference, std::abs(exact[i] - rounded[i]));
  }
  RecordProperty("difference", std::to_string(difference / largest));
  EXPECT_GT(difference, 0) << "a cache that rounds nothing is not under test";
  EXPECT_LE(difference, 2e-2f * largest);
}

TEST_F(StateTest, AnySplitGivesTheSameBits) {
  const std::vector<TokenId> log = tokens(333);
  const std::vector<float> expected = unbroken(log);
  for (const int64_t chunk : {1, 7, 63, 64, 65, 128, 300}) {
    Session one = session(chunk);
    ASSERT_TRUE(one.append(log));
    const auto logits = one.logits();
    ASSERT_TRUE(logits);
    EXPECT_EQ(std::memcmp(logits->data(), expected.data(), expected.size() * sizeof(float)), 0)
        << chunk;
  }
}

TEST_F(StateTest, ThreadsDoNotChangeTheBits) {
  const std::vector<TokenId> log = tokens(200);
  const std::vector<float> one = unbroken(log);
  open("alt_0101", 3);
  EXPECT_EQ(unbroken(log), one);
}

// Anchors, forks, rewinds, files and plain reading in random order.
TEST_F(StateTest, RandomOperationsEqualAnUnbrokenRun) {
  for (const char* golden : {"base_7to1", "alt_0101"}) {
    open(golden, 2);
    kv_dtype_ = golden[0] == 'a' ? kernels::DType::kBF16 : kernels::DType::kF32;
    Session one = session(100, size_t{2} << 20);
    const std::string path = folder_ + "/state.bin";
    bool saved = false;
    for (int step = 0; step < 150; ++step) {
      const uint64_t action = random_() % 8;
      const auto length = static_cast<int64_t>(one.token_log().size());
      if (action <= 2 || length == 0) {
        ASSERT_TRUE(one.append(tokens(random_() % 3 == 0 ? 1 : random_() % 90)));
      } else if (action == 3) {
        ASSERT_TRUE(one.keep_anchor(random_() % 5 == 0));
      } else if (action == 4) {
        ASSERT_TRUE(
            one.rewind(static_cast<int64_t>(random_() % static_cast<uint64_t>(length + 1))));
      } else if (action == 5) {
        auto fork = one.fork();
        ASSERT_TRUE(fork);
        ASSERT_TRUE(one.append(tokens(30)));  // The other side must not see this.
        ASSERT_TRUE(one.logits());
        if (!fork->token_log().empty()) expect_same(*fork, "fork");
        if (random_() % 2 == 0) one = *std::move(fork);
      } else if (action == 6) {
        ASSERT_TRUE(one.save(path));
        saved = true;
      } else if (saved) {
        ASSERT_TRUE(one.load(path));
      }
      if (!one.token_log().empty() && random_() % 3 == 0) expect_same(one, golden);
    }
    if (!one.token_log().empty()) expect_same(one, "end");
  }
}

TEST_F(StateTest, RewindInTheBlockOrToAnAnchorComputesNothing) {
  Session one = session();
  ASSERT_TRUE(one.append(tokens(150)));
  ASSERT_TRUE(one.keep_anchor());
  int64_t rows = 0;
  one.set_trace([&](std::string_view name, int64_t, const float*, int64_t n, int64_t) {
    if (name == "embed") rows += n;
  });
  ASSERT_TRUE(one.append(tokens(100)));
  ASSERT_TRUE(one.logits());
  EXPECT_EQ(rows, 100);
  rows = 0;
  ASSERT_TRUE(one.rewind(230));  // Block 192..255.
  EXPECT_EQ(one.num_computed(), 230);
  ASSERT_TRUE(one.rewind(150));  // The anchor, with its logits.
  EXPECT_EQ(one.num_computed(), 150);
  ASSERT_TRUE(one.logits());
  EXPECT_EQ(rows, 0);
  ASSERT_TRUE(one.rewind(140));  // The anchor's block holds it.
  EXPECT_EQ(one.num_computed(), 140);
}

TEST_F(StateTest, SyncKeepsTheCommonBeginning) {
  Session one = session();
  std::vector<TokenId> first = tokens(200);
  ASSERT_TRUE(one.append(std::vector<TokenId>(first.begin(), first.begin() + 130)));
  ASSERT_TRUE(one.keep_anchor());
  ASSERT_TRUE(one.sync(first));
  ASSERT_TRUE(one.logits());
  std::vector<TokenId> second(first.begin(), first.begin() + 130);
  const std::vector<TokenId> tail = tokens(40);
  second.insert(second.end(), tail.begin(), tail.end());
  const auto kept = one.sync(second);
  ASSERT_TRUE(kept);
  EXPECT_GE(*kept, 130);
  EXPECT_EQ(one.token_log(), second);
  expect_same(one, "sync");
}

TEST_F(StateTest, ACopySharesEverythingUntilOneSideWrites) {
  Session one = session();
  ASSERT_TRUE(one.append(tokens(62)));
  ASSERT_TRUE(one.logits());
  const State copy = one.state().clone();
  size_t layer = 0;
  while (copy.linear[layer].size() == 0) ++layer;
  const auto shares_linear = [&] {
    return copy.linear[layer].data() == one.state().linear[layer].data();
  };
  const auto shares_journal = [&] {
    return copy.journal[layer].data() == one.state().journal[layer].data();
  };
  EXPECT_TRUE(shares_linear());
  EXPECT_TRUE(shares_journal());
  ASSERT_TRUE(one.append(tokens(1)));
  ASSERT_TRUE(one.logits());
  EXPECT_TRUE(shares_linear()) << "the block is not full";
  EXPECT_FALSE(shares_journal());
  ASSERT_TRUE(one.append(tokens(1)));
  ASSERT_TRUE(one.logits());
  EXPECT_FALSE(shares_linear());
  expect_same(one, "the side that wrote");
}

TEST_F(StateTest, SwitchingConversationsAndBackComputesNothing) {
  Session one = session();
  const std::vector<TokenId> root = tokens(100);
  std::vector<std::vector<TokenId>> talks(3, root);
  for (size_t i = 0; i < talks.size(); ++i) {
    const std::vector<TokenId> rest = tokens(150 + 70 * i);
    talks[i].insert(talks[i].end(), rest.begin(), rest.end());
  }
  ASSERT_TRUE(one.append(root));
  ASSERT_TRUE(one.keep_anchor(/*pinned=*/true));
  for (const std::vector<TokenId>& talk : talks) {
    const auto kept = one.sync(talk);
    ASSERT_TRUE(kept);
    EXPECT_EQ(*kept, 100) << "the root is shared";
    ASSERT_TRUE(one.logits());
  }
  int64_t rows = 0;
  one.set_trace([&](std::string_view name, int64_t, const float*, int64_t n, int64_t) {
    if (name == "embed") rows += n;
  });
  for (int round = 0; round < 3; ++round) {
    for (std::vector<TokenId>& talk : talks) {
      const auto before = static_cast<int64_t>(talk.size());
      const std::vector<TokenId> turn = tokens(20);
      talk.insert(talk.end(), turn.begin(), turn.end());
      rows = 0;
      const auto kept = one.sync(talk);
      ASSERT_TRUE(kept);
      EXPECT_EQ(*kept, before);
      expect_same(one, "back");
      EXPECT_EQ(rows, 20) << "only the new turn is computed";
    }
  }
}

TEST_F(StateTest, ParkedStatesStayWithinTheirBudget) {
  Session one = session();
  ASSERT_TRUE(one.append(tokens(80)));
  ASSERT_TRUE(one.logits());
  const auto parked = [&](TokenId first) {
    ParkedStates::Parked out;
    out.log = one.token_log();
    out.log[0] = first;
    out.state = one.state().clone();
    return out;
  };
  ParkedStates states(3 * parked(0).bytes());
  for (TokenId first = 0; first < 6; ++first) states.add(parked(first));
  EXPECT_EQ(states.count(), 3u);
  EXPECT_LE(states.bytes(), 3 * parked(0).bytes());
  EXPECT_FALSE(states.take(parked(2).log, 0)) << "the oldest went first";
  std::vector<TokenId> longer = parked(4).log;
  longer.push_back(1);
  EXPECT_FALSE(states.take(longer, 80));
  const auto taken = states.take(longer, 79);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->reach(longer), 80);
  EXPECT_EQ(taken->reach(std::span(longer).first(70)), 70) << "within its block";
  EXPECT_EQ(taken->reach(std::span(longer).first(60)), 0);
  EXPECT_EQ(states.count(), 2u);
  ParkedStates none(0);
  none.add(parked(0));
  EXPECT_EQ(none.count(), 0u);
}

TEST_F(StateTest, AnchorsStayWithinTheirBudgetAndPinnedOnesStay) {
  Session one = session();
  ASSERT_TRUE(one.append(tokens(20)));
  ASSERT_TRUE(one.logits());
  const size_t each =
      one.state().linear_bytes() + static_cast<size_t>(model_->config.vocab_size) * 4;
  Anchors anchors(3 * each);
  for (int64_t position = 1; position <= 10; ++position) {
    State copy = one.state().clone();
    copy.num_tokens = position * 1000;
    std::vector<float> logits(static_cast<size_t>(model_->config.vocab_size));
    anchors.add(std::move(copy), std::move(logits), position == 1);
    EXPECT_LE(anchors.bytes(), 3 * each);
  }
  EXPECT_EQ(anchors.count(), 3u);
  ASSERT_NE(anchors.nearest(1500), nullptr);
  EXPECT_EQ(anchors.nearest(1500)->state.num_tokens, 1000);
}

TEST_F(StateTest, AnchorsOfAnotherProcessAreAsGoodAsOwnOnes) {
  Session one = session();
  std::vector<int64_t> places;
  for (const size_t count : {5u, 64u, 130u, 31u}) {
    ASSERT_TRUE(one.append(tokens(count)));
    ASSERT_TRUE(one.keep_anchor());
    places.push_back(static_cast<int64_t>(one.token_log().size()));
  }
  ASSERT_TRUE(one.append(tokens(100)));
  ASSERT_TRUE(one.save(folder_ + "/state"));
  ASSERT_TRUE(one.save_anchors(folder_ + "/marks", size_t{1} << 30));
  for (const int64_t place : places) {
    Session two = session();
    ASSERT_TRUE(two.load(folder_ + "/state"));
    const auto loaded = two.load_anchors(folder_ + "/marks");
    ASSERT_TRUE(loaded) << loaded.error().message();
    ASSERT_TRUE(two.rewind(place));
    EXPECT_EQ(two.num_computed(), place);
    expect_same(two, "at the anchor");
    ASSERT_TRUE(two.append(tokens(70)));
    expect_same(two, "after the anchor");
  }
  // Of another branch only what comes before the fork is taken.
  Session other = session();
  ASSERT_TRUE(other.append(std::span(one.token_log()).first(static_cast<size_t>(places[1]))));
  ASSERT_TRUE(other.append(tokens(400)));
  ASSERT_TRUE(other.logits());
  ASSERT_TRUE(other.load_anchors(folder_ + "/marks"));
  ASSERT_TRUE(other.rewind(places[2]));
  EXPECT_EQ(other.num_computed(), places[1]);
  expect_same(other, "on another branch");
  // Rounded keys and values make other linear states: these belong to a cache in single precision.
  kv_dtype_ = kernels::DType::kBF16;
  Session rounded = session();
  ASSERT_TRUE(rounded.append(one.token_log()));
  ASSERT_TRUE(rounded.logits());
  EXPECT_EQ(rounded.load_anchors(folder_ + "/marks").error().code(), ErrorCode::kUnsupported);
  ASSERT_TRUE(rounded.keep_anchor());
  ASSERT_TRUE(rounded.save_anchors(folder_ + "/rounded", size_t{1} << 30));
  EXPECT_TRUE(rounded.load_anchors(folder_ + "/rounded"));
  kv_dtype_ = kernels::DType::kF32;
  // Without room there are none.
  ASSERT_TRUE(one.save_anchors(folder_ + "/small", 0));
  Session three = session();
  ASSERT_TRUE(three.load(folder_ + "/state"));
  ASSERT_TRUE(three.load_anchors(folder_ + "/small"));
  ASSERT_TRUE(three.rewind(places[0]));
  EXPECT_LT(three.num_computed(), places[0]);
  expect_same(three, "without anchors");
}

TEST_F(StateTest, DamagedAnchorFilesAreRefused) {
  Session one = session();
  ASSERT_TRUE(one.append(tokens(100)));
  ASSERT_TRUE(one.keep_anchor());
  const std::string path = folder_ + "/marks";
  ASSERT_TRUE(one.save_anchors(path, size_t{1} << 30));
  const std::string good = *read_file(path);
  for (const size_t at : {size_t{0}, size_t{9}, size_t{40}, good.size() / 2, good.size() - 1}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    ASSERT_TRUE(write_file_atomic(path, bad));
    EXPECT_FALSE(one.load_anchors(path)) << at;
  }
  for (const size_t size : {size_t{0}, size_t{10}, good.size() - 1}) {
    ASSERT_TRUE(write_file_atomic(path, good.substr(0, size)));
    EXPECT_FALSE(one.load_anchors(path)) << size;
  }
  EXPECT_EQ(one.load_anchors(folder_ + "/none").error().code(), ErrorCode::kNotFound);
}

TEST_F(StateTest, DamagedFilesAreRefused) {
  const std::string path = folder_ + "/state.bin";
  {
    Session one = session();
    ASSERT_TRUE(one.append(tokens(77)));
    ASSERT_TRUE(one.save(path));
  }
  const std::string good = *read_file(path);
  const auto refused = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    Session other = session();
    const Result<void> loaded = other.load(path);
    EXPECT_TRUE(other.token_log().empty());
    return !loaded && loaded.error().message().find(path) != std::string::npos;
  };
  for (size_t cut = 0; cut < good.size(); cut += good.size() / 97 + 1) {
    EXPECT_TRUE(refused(good.substr(0, cut))) << "cut at " << cut;
  }
  for (size_t at = 0; at < good.size(); at += good.size() / 211 + 1) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_TRUE(refused(bad)) << "changed at " << at;
  }
  std::ofstream(path, std::ios::binary | std::ios::trunc) << good;
  kv_dtype_ = kernels::DType::kBF16;
  const Result<void> other_type = session().load(path);
  ASSERT_FALSE(other_type);
  EXPECT_EQ(other_type.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(other_type.error().message().find("BF16"), std::string::npos);
  kv_dtype_ = kernels::DType::kF32;
  open("base_7to1", 1);
  Session other = session();
  const Result<void> loaded = other.load(path);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kUnsupported);
}

// The checksum keeps accidents out, not intent: a layout of a million lists must not end the stack.
TEST_F(StateTest, AHeaderThatIsTooDeepIsRefused) {
  const std::string header = R"({"has_logits":false,"num_tokens":0,"layout":)" +
                             std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}";
  std::string file = "LEVNSTAT";
  for (const uint32_t value : {uint32_t{2}, static_cast<uint32_t>(header.size())}) {
    file.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  file += header;
  const XXH64_hash_t checksum = XXH3_64bits(file.data(), file.size());
  file.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  const std::string path = folder_ + "/deep.bin";
  ASSERT_TRUE(write_file_atomic(path, file));
  const Result<void> loaded = session().load(path);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(loaded.error().message().find("expected at most 4096"), std::string::npos);
}

}  // namespace
}  // namespace levin::engine
