// Speculation: where drafts come from, when they are tried, and above all that they change nothing
// but the time.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "engine/session.h"

namespace levin::engine {
namespace {

const std::string kRoot = LEVIN_SOURCE_DIR;

// The definition of DraftIndex::find without an index.
DraftIndex::Match plain_match(std::span<const TokenId> log) {
  DraftIndex::Match best;
  const auto total = static_cast<int64_t>(log.size());
  int64_t candidates = 0;
  for (int64_t end = total - 1; end >= DraftIndex::kGram && candidates < DraftIndex::kCandidatesMax;
       --end) {
    int64_t length = 0;
    while (length < std::min(end, DraftIndex::kMatchMax) &&
           log[static_cast<size_t>(end - 1 - length)] ==
               log[static_cast<size_t>(total - 1 - length)]) {
      ++length;
    }
    if (length >= DraftIndex::kGram) ++candidates;
    if (length >= DraftIndex::kGram && length > best.length) best = {end, length};
  }
  return best;
}

TEST(DraftIndex, FindsTheLongestLatestMatchWhateverWasAppendedAndCut) {
  std::mt19937 random(5);
  DraftIndex index;
  std::vector<TokenId> log;
  int found = 0;
  for (int step = 0; step < 3000; ++step) {
    const auto action = random() % 20;
    if (action == 0 && !log.empty()) {
      const size_t length = log.size() - random() % std::min<size_t>(log.size(), 60);
      index.cut(log, static_cast<int64_t>(length));
      log.resize(length);
    } else if (action <= 2 && log.size() > 100) {  // A longer copy, with a slip at its end.
      const size_t from = random() % (log.size() - 90);
      for (size_t i = 0; i < 80; ++i) log.push_back(log[from + i]);
      log.push_back(static_cast<TokenId>(random() % 1000));
    } else {
      log.push_back(static_cast<TokenId>(random() % 1000));
    }
    index.extend(log);
    const DraftIndex::Match expected = plain_match(log);
    const DraftIndex::Match match = index.find(log);
    ASSERT_EQ(match.length, expected.length) << step;
    ASSERT_EQ(match.next, expected.next) << step;
    if (match.length > 0) ++found;
  }
  EXPECT_GT(found, 100);
}

TEST(DraftIndex, AShortLogHasNoMatch) {
  DraftIndex index;
  std::vector<TokenId> log;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(index.find(log).length, 0);
    index.extend(log);
    EXPECT_EQ(index.find(log).length, 0);
    log.push_back(7);
  }
  log.push_back(7);
  index.extend(log);
  EXPECT_EQ(index.find(log).next, 3);  // 7 7 7 | 7
}

std::vector<TokenId> repeated(size_t period, size_t times) {
  std::vector<TokenId> log;
  for (size_t i = 0; i < period * times; ++i) log.push_back(static_cast<TokenId>(i % period));
  return log;
}

TEST(Drafter, CopiesWhatFollowedAndGoesOnInItsOwnCopy) {
  Drafter drafter;
  const std::vector<TokenId> log = repeated(5, 3);
  const auto draft = drafter.propose(log, 12, Speculation::kAlways);
  const std::vector<TokenId> expected = {0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1};
  EXPECT_EQ(std::vector<TokenId>(draft.begin(), draft.end()), expected);
  EXPECT_TRUE(drafter.propose(log, 12, Speculation::kOff).empty());
}

TEST(Drafter, TriesLongDraftsWhereFurtherTokensAreCheapAndNoneWhereTheyCostAsMuch) {
  const std::vector<TokenId> log = repeated(40, 2);
  Drafter cheap;
  Drafter dear;
  for (const int64_t n : {1, 2, 4, 8, 16, 32, 48}) {
    cheap.measured(n, 1.0 + 0.02 * static_cast<double>(n - 1));
    dear.measured(n, static_cast<double>(n));
  }
  EXPECT_NEAR(cheap.relative_cost(8), 1.14, 1e-9);
  EXPECT_NEAR(dear.relative_cost(24), 24, 1e-9);
  EXPECT_GE(cheap.propose(log, 48, Speculation::kWherePays).size(), 20u);
  EXPECT_EQ(dear.propose(log, 48, Speculation::kWherePays).size(), 0u);
}

// Guesses are counted also where none is tried, so a bad place is left and a good one found again.
TEST(Drafter, LearnsFromWhatIsDrawn) {
  const std::vector<TokenId> log = repeated(40, 2);
  Drafter drafter;
  for (const int64_t n : {1, 8, 48}) drafter.measured(n, 1.0 + 0.3 * static_cast<double>(n - 1));
  EXPECT_GT(drafter.propose(log, 40, Speculation::kWherePays).size(), 0u);
  for (int i = 0; i < 100; ++i) {
    (void)drafter.propose(log, 40, Speculation::kWherePays);
    drafter.observe(39);  // Never what was guessed.
  }
  EXPECT_LT(drafter.acceptance(39), 0.2);
  EXPECT_EQ(drafter.propose(log, 40, Speculation::kWherePays).size(), 0u);
  for (int i = 0; i < 100; ++i) {
    (void)drafter.propose(log, 40, Speculation::kWherePays);
    drafter.observe(0);
  }
  EXPECT_GT(drafter.propose(log, 40, Speculation::kWherePays).size(), 0u);
}

// A text of distinct tokens, then a copy of it as far as `edit` has written it: how many tokens the
// copy has to write behind the change before the guess is right again.
int64_t tokens_until_found(const std::vector<TokenId>& written, TokenId expected) {
  std::vector<TokenId> log;
  for (TokenId i = 0; i < 100; ++i) log.push_back(i);
  DraftAlignment alignment;
  alignment.follow(log);
  for (TokenId i = 0; i < 20; ++i) log.push_back(i);
  alignment.follow(log);
  alignment.adopt(20, 20);
  for (const TokenId token : written) log.push_back(token);
  alignment.follow(log);
  for (int64_t behind = 0; behind < 20; ++behind, ++expected) {
    const int64_t next = alignment.next();
    if (next > 0 && log[static_cast<size_t>(next)] == expected) return behind;
    log.push_back(expected);
    alignment.follow(log);
  }
  return -1;
}

TEST(DraftAlignment, ACopyGoesOnBehindAChange) {
  EXPECT_EQ(tokens_until_found({}, 20), 0);
  EXPECT_EQ(tokens_until_found({500}, 21), 0);              // One token replaced,
  EXPECT_EQ(tokens_until_found({500, 501, 502}, 23), 0);    // three by three,
  EXPECT_EQ(tokens_until_found({500, 501, 502}, 20), 1);    // three added,
  EXPECT_EQ(tokens_until_found({25}, 26), 0);               // five left out,
  EXPECT_EQ(tokens_until_found({500, 501}, 26), 1);         // six replaced by two.
  EXPECT_EQ(tokens_until_found({20, 21, 22, 500}, 24), 0);  // Not only at the first token.
}

TEST(DraftAlignment, GivesUpWhereNothingFollowsAnyMore) {
  std::vector<TokenId> log;
  for (TokenId i = 0; i < 100; ++i) log.push_back(i);
  DraftAlignment alignment;
  alignment.follow(log);
  alignment.adopt(20, 20);
  for (TokenId i = 0; i <= DraftAlignment::kLostMax; ++i) log.push_back(500 + i);
  alignment.follow(log);
  EXPECT_EQ(alignment.next(), 0);
  alignment.adopt(30, 3);
  alignment.cut(100);  // What was read after it is gone.
  EXPECT_EQ(alignment.next(), 0);
}

// Every 32nd token of a long text is another one in its copy: no step is lost behind a change.
TEST(Drafter, GuessesRightBehindEachChangeOfACopy) {
  constexpr int kText = 1024;
  constexpr int kEdit = 32;
  Drafter drafter;
  for (const int64_t n : {1, 2, 4, 8, 16, 32, 48}) {
    drafter.measured(n, 1.0 + 0.1 * static_cast<double>(n - 1));
  }
  std::vector<TokenId> log;
  for (TokenId i = 0; i < kText; ++i) log.push_back(i);
  const auto written = [](int i) { return static_cast<TokenId>(i % kEdit == 16 ? 5000 + i : i); };
  log.push_back(written(0));
  int steps = 0;
  for (int i = 1; i < kText; ++steps) {
    const auto draft = drafter.propose(log, 60, Speculation::kWherePays);
    const std::vector<TokenId> guesses(draft.begin(), draft.end());
    size_t right = 0;
    while (right < guesses.size() && i + static_cast<int>(right) < kText &&
           guesses[right] == written(i + static_cast<int>(right))) {
      ++right;
    }
    // As Session::sample() does: the right ones, and one token of the model's own.
    for (size_t t = 0; t <= right && i < kText; ++t, ++i) {
      log.push_back(written(i));
      drafter.observe(written(i));
    }
  }
  // A pass from change to change would make 33; three steps to find each place again, 130.
  EXPECT_LE(steps, 80);
}

struct Case {
  const char* name;
  const char* folder;
  Precision precision;
};

class SpeculationTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    kernels::CpuOptions cpu;
    cpu.num_threads = 2;
    auto device = kernels::make_cpu_device(cpu);
    ASSERT_TRUE(device);
    device_ = *std::move(device);
    LoadOptions load;
    load.precision = GetParam().precision;
    auto model = load_model(kRoot + "/" + GetParam().folder, load);
    ASSERT_TRUE(model) << model.error().message();
    model_ = *std::move(model);
    std::string pattern = (std::filesystem::temp_directory_path() / "levin-draft-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Session open(Speculation speculation, int64_t context_tokens_max = 0) {
    SessionOptions options;
    options.speculation = speculation;
    options.context_tokens_max = context_tokens_max;
    options.kv_dtype =
        GetParam().precision == Precision::kExact ? kernels::DType::kF32 : kernels::DType::kBF16;
    auto session = Session::open(*model_, *device_, options);
    EXPECT_TRUE(session);
    return *std::move(session);
  }

  std::vector<TokenId> random_tokens(size_t count) {
    std::vector<TokenId> ids(count);
    for (TokenId& id : ids) {
      id = static_cast<TokenId>(random_() % static_cast<uint64_t>(model_->config.vocab_size));
    }
    return ids;
  }

  // A text with repetitions, as an agent's context is.
  std::vector<TokenId> prompt() {
    std::vector<TokenId> log = random_tokens(50);
    for (int i = 0; i < 3; ++i) {
      const std::vector<TokenId> again(log.begin() + 10, log.begin() + 40);
      log.insert(log.end(), again.begin(), again.end());
      const std::vector<TokenId> some = random_tokens(5);
      log.insert(log.end(), some.begin(), some.end());
    }
    return log;
  }

  static std::vector<float> logits(Session& session) {
    const auto now = session.logits();
    EXPECT_TRUE(now);
    return {now->begin(), now->end()};
  }

  static void expect_equal(Session& a, Session& b, const std::string& what) {
    ASSERT_EQ(a.token_log(), b.token_log()) << what;
    const std::vector<float> one = logits(a);
    const std::vector<float> two = logits(b);
    ASSERT_EQ(std::memcmp(one.data(), two.data(), one.size() * sizeof(float)), 0) << what;
    ASSERT_EQ(a.num_computed(), b.num_computed()) << what;
  }

  std::mt19937_64 random_{11};
  std::unique_ptr<kernels::Device> device_;
  std::unique_ptr<Model> model_;
  std::string folder_;
};

std::vector<SampleOptions> sample_options() {
  static const std::vector<TokenId> kBanned = {1, 5, 8, 13, 30};
  SampleOptions greedy;
  greedy.temperature = 0;
  SampleOptions banned = greedy;
  banned.banned = kBanned;
  SampleOptions free;
  free.temperature = 1.3;
  free.top_p = 1;
  SampleOptions narrow;
  narrow.temperature = 0.8;
  narrow.top_p = 0.6;
  narrow.seed = 9;
  SampleOptions few;
  few.top_k = 3;
  few.min_p = 0.1;
  few.seed = 4;
  return {greedy, banned, free, narrow, few};
}

TEST_P(SpeculationTest, EveryTokenAndLogitIsThatOfPlainDecoding) {
  int64_t accepted = 0;
  int64_t refused = 0;
  for (const SampleOptions& options : sample_options()) {
    const std::vector<TokenId> start = prompt();
    Session plain = open(Speculation::kOff);
    Session always = open(Speculation::kAlways);
    Session chosen = open(Speculation::kWherePays);
    for (Session* session : {&plain, &always, &chosen}) {
      ASSERT_TRUE(session->append(start));
      for (int i = 0; i < 130; ++i) ASSERT_TRUE(session->sample(options));
    }
    expect_equal(always, plain, "always");
    expect_equal(chosen, plain, "chosen");
    const DraftStats& stats = always.draft_stats();
    accepted += stats.accepted;
    refused += stats.drafted - stats.accepted;
    EXPECT_EQ(plain.draft_stats().drafted, 0);
  }
  EXPECT_GT(accepted, 20) << "nothing was accepted: not under test";
  EXPECT_GT(refused, 50);
}

// A greedy random model repeats itself soon: the draft passes read several tokens at once.
TEST_P(SpeculationTest, ARepetitionTakesFewPasses) {
  Session session = open(Speculation::kAlways);
  SampleOptions greedy;
  greedy.temperature = 0;
  ASSERT_TRUE(session.append(prompt()));
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(session.sample(greedy));
  int64_t passes = 0;
  session.set_trace([&](std::string_view name, int64_t, const float*, int64_t, int64_t) {
    if (name == "embed") ++passes;
  });
  const int64_t accepted = session.draft_stats().accepted;
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(session.sample(greedy));
  const int64_t gained = session.draft_stats().accepted - accepted;
  EXPECT_NEAR(static_cast<double>(passes + gained), 400, 50);
  if (gained > 300) {
    EXPECT_LT(passes, 100);
  }
}

// Drafts in flight meet everything else that a session can do.
TEST_P(SpeculationTest, AnyOperationsGiveWhatTheyGiveWithoutDrafts) {
  Session plain = open(Speculation::kOff);
  Session fast = open(Speculation::kAlways);
  const std::string path = folder_ + "/state";
  bool saved = false;
  SampleOptions options;
  options.temperature = 0.3;
  for (int step = 0; step < 70; ++step) {
    const uint64_t action = random_() % 9;
    const auto length = static_cast<int64_t>(plain.token_log().size());
    if (action <= 3 && length > 0) {
      const uint64_t count = random_() % 40;
      for (uint64_t i = 0; i < count; ++i) {
        const auto a = plain.sample(options);
        const auto b = fast.sample(options);
        ASSERT_TRUE(a);
        ASSERT_TRUE(b);
        ASSERT_EQ(*a, *b) << step;
      }
    } else if (action == 4 || length == 0) {
      const std::vector<TokenId> some = step % 2 == 0 ? prompt() : random_tokens(3);
      ASSERT_TRUE(plain.append(some));
      ASSERT_TRUE(fast.append(some));
    } else if (action == 5) {
      const int64_t position =
          length -
          static_cast<int64_t>(random_() % static_cast<uint64_t>(std::min<int64_t>(length, 30)));
      ASSERT_TRUE(plain.rewind(position));
      ASSERT_TRUE(fast.rewind(position));
    } else if (action == 6) {
      auto fork = fast.fork();
      ASSERT_TRUE(fork);
      ASSERT_TRUE(fast.sample(options));
      fast = *std::move(fork);
    } else if (action == 7) {
      ASSERT_TRUE(fast.save(path));
      ASSERT_TRUE(plain.save(path + "2"));
      saved = true;
    } else if (saved) {
      ASSERT_TRUE(fast.load(path));
      ASSERT_TRUE(plain.load(path + "2"));
    }
    if (step % 7 == 0) {
      ASSERT_TRUE(fast.keep_anchor());
      ASSERT_TRUE(plain.keep_anchor());
    }
    if (!plain.token_log().empty() && random_() % 3 == 0) {
      expect_equal(fast, plain, std::to_string(step));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(SpeculationTest, ADraftStaysWithinTheContext) {
  Session session = open(Speculation::kAlways, 130);
  const std::vector<TokenId> period = random_tokens(10);
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(session.append(period));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(session.sample({}));
  const auto over = session.sample({});
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code(), ErrorCode::kLimit);
  EXPECT_EQ(session.token_log().size(), 130u);
}

INSTANTIATE_TEST_SUITE_P(
    Models, SpeculationTest,
    testing::Values(Case{"alt_0101", "tests/golden/minimax_m1/alt_0101", Precision::kExact},
                    Case{"base_7to1", "tests/golden/minimax_m1/base_7to1", Precision::kNative},
                    Case{"embedded", "engine/models/levin-tiny", Precision::kExact},
                    Case{"embedded_native", "engine/models/levin-tiny", Precision::kNative}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace levin::engine
