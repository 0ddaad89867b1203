// Sessions: the same logits however the tokens came in, nothing computed twice, errors that change
// nothing, and the same text from the same seed.
#include "engine/session.h"

#include <gtest/gtest.h>

#include <cmath>

namespace levin::engine {
namespace {

// Logits of the small models are below 50; the forms of lightning attention and the tiles of matmul
// sum in different orders. The golden files allow 1e-4 (random models) and 5e-4 (the embedded one).
constexpr double kTolerance = 5e-4;

const std::string kRoot = LEVIN_SOURCE_DIR;

std::vector<TokenId> some_tokens(size_t count, int64_t vocab_size) {
  std::vector<TokenId> tokens;
  for (size_t i = 0; i < count; ++i) {
    tokens.push_back(
        static_cast<TokenId>((i * i * 31 + i * 7 + 3) % static_cast<size_t>(vocab_size)));
  }
  return tokens;
}

// Forwards to a CPU device, but refuses memory after a while.
class ShortOfMemory final : public kernels::Device {
 public:
  explicit ShortOfMemory(kernels::Device& device) : device_(device) {}
  const kernels::Ops& ops() const override { return device_.ops(); }
  const kernels::Parallel& parallel() const override { return device_.parallel(); }
  std::string name() const override { return "short of memory"; }
  Result<void*> allocate(size_t bytes, kernels::Fill fill) override {
    if (allocations_left == 0) return Error(ErrorCode::kLimit, "no memory in this test");
    --allocations_left;
    return device_.allocate(bytes, fill);
  }
  void release(void* memory) override {
    if (gives_back && allocations_left < INT64_MAX) ++allocations_left;
    device_.release(memory);
  }
  void copy(void* to, const void* from, size_t bytes) override { device_.copy(to, from, bytes); }
  void copy_to_host(void* host, const void* device, size_t bytes) override {
    device_.copy_to_host(host, device, bytes);
  }

  int64_t allocations_left = INT64_MAX;
  bool gives_back = false;  // What is released may be allocated again.

 private:
  kernels::Device& device_;
};

class SessionTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto device = kernels::make_cpu_device({1});
    ASSERT_TRUE(device);
    device_ = *std::move(device);
    auto model = load_model(kRoot + "/" + GetParam());
    ASSERT_TRUE(model) << model.error().message();
    model_ = *std::move(model);
    vocab_ = static_cast<size_t>(model_->config.vocab_size);
    tokens_ = some_tokens(300, model_->config.vocab_size);
  }

  Session open(const SessionOptions& options = {}) { return open_on(*device_, options); }
  Session open_on(kernels::Device& device, const SessionOptions& options = {}) {
    Result<Session> session = Session::open(*model_, device, options);
    EXPECT_TRUE(session) << session.error().message();
    return *std::move(session);
  }

  static std::vector<float> logits(Session& session) {
    const Result<std::span<const float>> now = session.logits();
    EXPECT_TRUE(now);
    return {now->begin(), now->end()};
  }

  static void expect_near(const std::vector<float>& got, const std::vector<float>& expected) {
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], kTolerance) << i;
  }

  static void append_one(Session& session, TokenId id) {
    ASSERT_TRUE(session.append(std::span<const TokenId>(&id, 1)));
  }

  std::span<const TokenId> first(size_t count) const { return std::span(tokens_).first(count); }

  std::unique_ptr<kernels::Device> device_;
  std::unique_ptr<Model> model_;
  size_t vocab_ = 0;
  std::vector<TokenId> tokens_;
};

TEST_P(SessionTest, PrefillEqualsSingleSteps) {
  Session whole = open();
  ASSERT_TRUE(whole.append(tokens_));
  std::vector<float> all;
  ASSERT_TRUE(whole.all_logits(&all));
  ASSERT_EQ(all.size(), tokens_.size() * vocab_);
  Session steps = open();
  for (size_t i = 0; i < tokens_.size(); ++i) {
    append_one(steps, tokens_[i]);
    const std::vector<float> expected(all.begin() + static_cast<std::ptrdiff_t>(i * vocab_),
                                      all.begin() + static_cast<std::ptrdiff_t>((i + 1) * vocab_));
    expect_near(logits(steps), expected);
    if (HasFatalFailure()) FAIL() << "at token " << i;
  }
  EXPECT_EQ(logits(whole),
            std::vector<float>(all.end() - static_cast<std::ptrdiff_t>(vocab_), all.end()));
}

TEST_P(SessionTest, AnyChunksGiveTheSameLogits) {
  Session whole = open({0, 1024});
  ASSERT_TRUE(whole.append(tokens_));
  const std::vector<float> expected = logits(whole);
  for (const int64_t chunk : {1, 2, 63, 64, 65, 256, 299, 300}) {
    Session session = open({0, chunk});
    ASSERT_TRUE(session.append(tokens_));
    expect_near(logits(session), expected);
    Session in_parts = open({0, chunk});
    for (size_t done = 0; done < 300; done += 100) {
      ASSERT_TRUE(in_parts.append(std::span(tokens_).subspan(done, 100)));
      EXPECT_EQ(logits(in_parts).size(), vocab_);
    }
    expect_near(logits(in_parts), expected);
  }
}

TEST_P(SessionTest, NothingIsComputedTwiceOrEarly) {
  Session session = open({0, 16});
  int64_t rows = 0;
  session.set_trace([&](std::string_view name, int64_t, const float*, int64_t n, int64_t) {
    if (name == "embed") rows += n;
  });
  ASSERT_TRUE(session.append(first(50)));
  EXPECT_EQ(rows, 0) << "append computes nothing";
  EXPECT_EQ(session.num_computed(), 0);
  const std::vector<float> once = logits(session);
  EXPECT_EQ(rows, 50);
  EXPECT_EQ(session.num_computed(), 50);
  EXPECT_EQ(logits(session), once);
  std::vector<float> all;
  ASSERT_TRUE(session.all_logits(&all));
  EXPECT_TRUE(all.empty()) << "nothing is pending";
  EXPECT_EQ(rows, 50);
  for (size_t i = 50; i < 60; ++i) append_one(session, tokens_[i]);
  ASSERT_TRUE(session.sample({}));
  EXPECT_EQ(rows, 60) << "the drawn token is not computed yet";
  EXPECT_EQ(session.token_log().size(), 61u);
  ASSERT_TRUE(session.all_logits(&all));
  EXPECT_EQ(all.size(), vocab_);
  EXPECT_EQ(rows, 61);
}

TEST_P(SessionTest, ErrorsOfAppendLeaveTheLogAlone) {
  Session session = open({10, 4});
  ASSERT_TRUE(session.append(first(8)));
  const std::vector<TokenId> log = session.token_log();
  const auto vocab = static_cast<TokenId>(vocab_);
  for (const TokenId bad : {-1, vocab, INT32_MAX, INT32_MIN}) {
    const std::vector<TokenId> tokens = {1, bad};
    const Result<void> appended = session.append(tokens);
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(appended.error().message().find(std::to_string(bad)), std::string::npos);
    EXPECT_EQ(session.token_log(), log);
  }
  const Result<void> over = session.append(first(3));
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code(), ErrorCode::kLimit);
  EXPECT_NE(over.error().message().find("10"), std::string::npos);
  EXPECT_EQ(session.token_log(), log);
  EXPECT_TRUE(session.append({}));
  ASSERT_TRUE(session.append(first(2)));
  const std::vector<float> full = logits(session);
  const Result<TokenId> drawn = session.sample({});
  ASSERT_FALSE(drawn) << "the context is full";
  EXPECT_EQ(drawn.error().code(), ErrorCode::kLimit);
  EXPECT_EQ(session.token_log().size(), 10u);
  EXPECT_EQ(logits(session), full);
}

TEST_P(SessionTest, TheConfigsContextIsTheDefault) {
  Session session = open();
  const auto limit = static_cast<size_t>(model_->config.max_position_embeddings);
  EXPECT_TRUE(session.append(std::vector<TokenId>(limit, 1)));
  EXPECT_EQ(session.append(first(1)).error().code(), ErrorCode::kLimit);
}

std::vector<TokenId> generate(Session& session, std::span<const TokenId> prompt, uint64_t seed) {
  SampleOptions options;
  options.seed = seed;
  options.temperature = 1.2;
  options.top_p = 1;
  EXPECT_TRUE(session.append(prompt));
  for (int i = 0; i < 60; ++i) {
    const size_t before = session.token_log().size();
    const Result<TokenId> id = session.sample(options);
    EXPECT_TRUE(id);
    EXPECT_EQ(session.token_log().size(), before + 1);
    EXPECT_EQ(session.token_log().back(), *id);
  }
  return session.token_log();
}

TEST_P(SessionTest, SameSeedSameTokens) {
  Session a = open();
  Session b = open();
  Session c = open();
  const std::vector<TokenId> text = generate(a, first(20), 5);
  EXPECT_EQ(generate(b, first(20), 5), text);
  EXPECT_NE(generate(c, first(20), 6), text);
  EXPECT_EQ(logits(a), logits(b)) << "bit for bit";
}

// Work is split at borders that do not depend on the number of threads, so even the roundings
// agree.
TEST_P(SessionTest, ThreadsChangeNoBit) {
  Session one = open();
  ASSERT_TRUE(one.append(tokens_));
  const std::vector<float> prefill = logits(one);
  const std::vector<TokenId> text = generate(one, first(1), 3);
  const std::vector<float> decode = logits(one);
  for (const int threads : {2, 3}) {
    auto device = kernels::make_cpu_device({threads});
    ASSERT_TRUE(device);
    Session many = open_on(**device);
    ASSERT_TRUE(many.append(tokens_));
    EXPECT_EQ(logits(many), prefill) << threads;
    EXPECT_EQ(generate(many, first(1), 3), text) << threads;
    EXPECT_EQ(logits(many), decode) << threads;
  }
}

TEST_P(SessionTest, SessionsOfOneModelAreApart) {
  Session alone = open();
  ASSERT_TRUE(alone.append(first(40)));
  const std::vector<float> expected = logits(alone);
  Session a = open();
  Session b = open();
  for (size_t i = 0; i < 40; i += 10) {
    ASSERT_TRUE(a.append(first(40).subspan(i, 10)));
    ASSERT_TRUE(b.append(std::span(tokens_).subspan(100 + i, 10)));
    EXPECT_TRUE(b.logits());
  }
  EXPECT_EQ(logits(a), expected);
  EXPECT_NE(logits(b), expected);
  const Session moved = std::move(a);  // A moved session goes on with its state.
  EXPECT_EQ(moved.num_computed(), 40);
}

// Memory runs out in the middle of a prompt: an error, and when there is memory again, the same
// logits.
TEST_P(SessionTest, ShortMemoryIsAnErrorThatCanBeRepeated) {
  Session plain = open({0, 100});
  ASSERT_TRUE(plain.append(tokens_));
  std::vector<float> expected;
  ASSERT_TRUE(plain.all_logits(&expected));
  ShortOfMemory device(*device_);
  int64_t pages = 0;  // What the prompt needs: so many a softmax layer.
  for (const AttentionKind kind : model_->config.attention_kinds) {
    const auto tokens = static_cast<int64_t>(tokens_.size());
    if (kind == AttentionKind::kSoftmax) pages += (tokens - 1) / KvCache::kPageTokens + 1;
  }
  for (int64_t allowed = 0; allowed < pages; ++allowed) {
    device.allocations_left = INT64_MAX;
    Session session = open_on(device, {0, 100});
    ASSERT_TRUE(session.append(tokens_));
    device.allocations_left = allowed;
    std::vector<float> all = {123};
    const Result<void> failed = session.all_logits(&all);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ErrorCode::kLimit);
    EXPECT_EQ(all.size(), 1 + static_cast<size_t>(session.num_computed()) * vocab_);
    EXPECT_EQ(session.token_log(), tokens_);
    device.allocations_left = INT64_MAX;
    ASSERT_TRUE(session.all_logits(&all));
    all.erase(all.begin());
    EXPECT_EQ(all, expected) << allowed;
  }
  device.allocations_left = 1;
  const Result<Session> unopened = Session::open(*model_, device, {});
  ASSERT_FALSE(unopened);
  EXPECT_EQ(unopened.error().code(), ErrorCode::kLimit);
}

// What was only kept to come back to goes first, the oldest before the others; what is pinned
// stays.
TEST_P(SessionTest, ShortMemoryTakesWhatWasKept) {
  ShortOfMemory device(*device_);
  Session plain = open();
  ASSERT_TRUE(plain.append(first(51)));
  const std::vector<float> expected = logits(plain);

  const auto others = std::span(tokens_).subspan(100, 80);  // Too many to read once more.
  for (const bool parks : {true, false}) {
    for (const bool is_pinned : {true, false}) {
      SCOPED_TRACE(testing::Message() << parks << is_pinned);
      device.allocations_left = INT64_MAX;
      Session session = open_on(device);
      if (parks) {  // Another log with a state of its own, left for this one.
        ASSERT_TRUE(session.append(others));
        logits(session);
      }
      ASSERT_TRUE(session.sync(first(50)));
      logits(session);
      ASSERT_TRUE(session.keep_anchor(is_pinned));  // The next token copies what it shares.
      device.allocations_left = 0;
      device.gives_back = true;
      append_one(session, tokens_[50]);
      const Result<std::span<const float>> now = session.logits();
      EXPECT_EQ(now.has_value(), parks || !is_pinned);
      if (!now) {
        EXPECT_EQ(now.error().code(), ErrorCode::kLimit);
        EXPECT_NE(now.error().message().find("1 tokens after 50"), std::string::npos)
            << now.error().message();
      }
      device.allocations_left = INT64_MAX;  // Nothing was lost by it.
      device.gives_back = false;
      EXPECT_EQ(logits(session), expected);
      const Result<int64_t> kept = session.sync(others);
      ASSERT_TRUE(kept);
      EXPECT_EQ(*kept, 0) << "the parked state is gone";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SessionTest,
                         testing::Values("tests/golden/minimax_m1/alt_0101",
                                         "tests/golden/minimax_m1/base_7to1",
                                         "engine/models/levin-tiny"),
                         [](const auto& one) {
                           std::string name =
                               std::string(one.param).substr(std::string(one.param).rfind('/') + 1);
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(SessionDeathTest, LogitsOfAnEmptyLogAreAProgrammersError) {
  auto device = kernels::make_cpu_device({1});
  auto model = load_model(kRoot + "/tests/golden/minimax_m1/alt_0101");
  ASSERT_TRUE(device);
  ASSERT_TRUE(model);
  auto session = Session::open(**model, **device, {});
  ASSERT_TRUE(session);
  EXPECT_DEATH((void)session->logits(), "log_");
}

}  // namespace
}  // namespace levin::engine
