// Nothing is computed twice: replies come from a script, but a real session reads every token of
// the run, and counts how many rows it computed. Malformed calls, denied calls, a changed mode and
// a resumed session cost their new tokens only.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "agent/agent.h"
#include "agent/session_start.h"
#include "base/file_io.h"
#include "engine/engine.h"
#include "tools/registry.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

using engine::TokenId;

// A session of the embedded model whose replies are given.
class ScriptedSession final : public ModelClient {
 public:
  ScriptedSession(engine::Engine& engine, std::vector<std::string> replies,
                  int64_t context_tokens_max)
      : engine_(engine),
        session_(*engine.open_session({.context_tokens_max = context_tokens_max})),
        replies_(std::move(replies)) {
    session_.set_trace([this](std::string_view name, int64_t, const float*, int64_t n, int64_t) {
      if (name == "embed") rows_computed += n;
    });
  }

  const engine::Tokenizer& tokenizer() const override { return engine_.tokenizer(); }
  const std::vector<TokenId>& token_log() const override { return session_.token_log(); }
  Result<void> append(std::span<const TokenId> tokens) override { return session_.append(tokens); }
  Result<TokenId> sample(const engine::SampleOptions&) override {
    if (reply_.empty()) {
      if (replies_.empty()) return Error(ErrorCode::kIo, "no reply is left");
      reply_ = tokenizer().encode(replies_.front(), engine::SpecialTokens::kAsText);
      reply_.push_back(*tokenizer().special_token("<end_of_sentence>"));
      replies_.erase(replies_.begin());
    }
    TRY(session_.logits());
    const TokenId id = reply_.front();
    reply_.erase(reply_.begin());
    TRY(session_.append(std::span<const TokenId>(&id, 1)));
    return id;
  }
  int64_t num_computed() const override { return session_.num_computed(); }
  Result<void> mark() override { return session_.keep_anchor(); }
  Result<void> rewind(int64_t length) override { return session_.rewind(length); }
  Result<void> sync(std::span<const TokenId> log) override {
    TRY(session_.sync(log));
    return {};
  }
  Result<void> save_state(const std::string& path) override { return session_.save(path); }
  Result<void> load_state(const std::string& path) override { return session_.load(path); }
  std::string description() const override { return "a session with given replies"; }

  int64_t rows_computed = 0;

 private:
  engine::Engine& engine_;
  engine::Session session_;
  std::vector<std::string> replies_;
  std::vector<TokenId> reply_;  // What is left of the one in progress.
};

struct Quiet final : EventSink {
  void on_event(const Event& event) override {
    if (const auto* state = std::get_if<StepState>(&event)) states.push_back(*state);
    if (std::holds_alternative<StateRefused>(event)) ++refused;
  }
  std::vector<StepState> states;
  int refused = 0;
};

class ReuseTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "levin-reuse-XXXXXX").string();
    base_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directory(base_ + "/work");
    ASSERT_TRUE(write_file_atomic(base_ + "/work/a.txt", "one\n"));
    engine::EngineOptions options;
    options.model_folder = std::string(LEVIN_SOURCE_DIR) + "/engine/models/levin-tiny";
    options.cpu.num_threads = 2;
    engine_ = *engine::Engine::open(options);
    profile_.system_text = "You are a coding agent.";
    profile_.tool_lines = {R"({"name": "read"})", R"({"name": "bash"})"};
  }
  void TearDown() override { std::filesystem::remove_all(base_); }

  // One run of the agent; what it computed is in rows_.
  Outcome run(const std::vector<std::string>& replies, const Continuation* continuation = nullptr) {
    ScriptedSession client(*engine_, replies, context_tokens_max_);
    const auto writer = *engine::PromptWriter::create(engine_->tokenizer());
    auto workspace = *tools::Workspace::open(base_ + "/work");
    tools::ToolContext context{workspace, nullptr, {}, nullptr, ""};
    const tools::Registry registry = tools::make_registry();
    SessionRecord header;
    header.id = "t" + std::to_string(runs_++);
    auto transcript = *Transcript::create(base_ + "/" + header.id, header);
    const SessionStart start{client, writer, transcript, profile_, state_key_, base_ + "/state.bin",
                             ""};
    events_ = Quiet();
    AgentOptions options;
    const Result<int64_t> reused = continuation != nullptr
                                       ? continue_log(start, *continuation, "go on", events_)
                                       : start_log(start, "do it", events_);
    EXPECT_TRUE(reused);
    options.tokens_reused = reused ? *reused : 0;
    Agent agent(client, writer, registry, context, events_, transcript, options);
    const Outcome outcome = agent.run();
    rows_ = client.rows_computed;
    log_ = client.token_log();
    EXPECT_TRUE(client.save_state(base_ + "/state.bin"));
    rows_to_save_ = client.rows_computed - rows_;
    text_ = engine_->tokenizer().decode(log_);
    return outcome;
  }

  // Every token of the log was read once; the last one, which nothing follows, not yet.
  void expect_each_token_once(int64_t stored = 0) {
    EXPECT_EQ(rows_, static_cast<int64_t>(log_.size()) - 1 - stored);
    EXPECT_EQ(rows_to_save_, 1);
    for (size_t i = 1; i < events_.states.size(); ++i) {
      const StepState& before = events_.states[i - 1];
      EXPECT_EQ(events_.states[i].reused, before.reused + before.prefilled + before.generated);
    }
  }

  static std::string calls(const std::string& lines) {
    return "<tool_calls>\n" + lines + "\n</tool_calls>";
  }
  int64_t context_tokens_max_ = 0;  // 0: the model's.
  const std::string read_ = R"({"name": "read", "arguments": {"path": "a.txt"}})";
  const std::string bash_ = R"({"name": "bash", "arguments": {"command": "rm a.txt"}})";

  std::string base_;
  std::unique_ptr<engine::Engine> engine_;
  Profile profile_;
  std::string state_key_;
  Quiet events_;
  int runs_ = 0;
  int64_t rows_ = 0;
  int64_t rows_to_save_ = 0;
  std::vector<TokenId> log_;
  std::string text_;
};

TEST_F(ReuseTest, AContextThatFillsInsideAReplyIsTheReason) {
  context_tokens_max_ = 400;
  std::string endless;
  for (int word = 0; word < 600; ++word) endless += "word" + std::to_string(word) + " ";
  const Outcome outcome = run({endless});
  EXPECT_EQ(outcome.exit_code, ExitCode::kLimit);
  EXPECT_EQ(outcome.reason, "context");
  EXPECT_NE(outcome.message.find("400"), std::string::npos) << outcome.message;
}

TEST_F(ReuseTest, AMalformedCallCostsItsAnswerOnly) {
  const Outcome outcome = run({calls(R"({"name": "read", "arguments": {"path": )"),
                               calls("{]") + "\n", calls(read_), "Done."});
  EXPECT_EQ(outcome.exit_code, ExitCode::kDone) << outcome.message;
  EXPECT_NE(text_.find("E_JSON"), std::string::npos) << text_;
  EXPECT_EQ(events_.states.size(), 4u);
  expect_each_token_once();
}

TEST_F(ReuseTest, ADeniedCallCostsItsAnswerOnly) {
  run({calls(bash_), calls(read_), "Done."});  // Without a sandbox no command runs.
  EXPECT_NE(text_.find("E_DENIED rm a.txt"), std::string::npos) << text_;
  EXPECT_TRUE(std::filesystem::exists(base_ + "/work/a.txt"));
  EXPECT_EQ(events_.states.size(), 3u);
  expect_each_token_once();
}

Continuation answered(const std::vector<TokenId>& log, int replies) {
  Continuation continuation;
  continuation.log = log;
  continuation.end = LogEnd::kAnswered;
  continuation.last_step = replies;
  return continuation;
}

TEST_F(ReuseTest, AResumedSessionPrefillsItsNewTokensOnly) {
  run({calls(read_), "Done."});
  const std::vector<TokenId> before = log_;
  const Continuation continuation = answered(before, 2);
  run({"Yes."}, &continuation);
  ASSERT_GT(log_.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), log_.begin()));
  EXPECT_EQ(events_.states.front().reused, static_cast<int64_t>(before.size()));
  expect_each_token_once(static_cast<int64_t>(before.size()));
}

// The mode (what commands may do) is not in the prompt: it changes between runs without a token.
TEST_F(ReuseTest, AChangedModePrefillsItsNewTokensOnly) {
  run({calls(read_), "Done."});
  const std::vector<TokenId> before = log_;
  const Continuation continuation = answered(before, 2);
  run({calls(bash_), "Not allowed."}, &continuation);
  EXPECT_NE(text_.find("commands are switched off"), std::string::npos) << text_;
  expect_each_token_once(static_cast<int64_t>(before.size()));
}

TEST_F(ReuseTest, ADamagedStateIsToldAndTheRunGoesOnByPrefilling) {
  run({calls(read_), "Done."});
  const std::vector<TokenId> before = log_;
  std::string bytes = *read_file(base_ + "/state.bin");
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(write_file_atomic(base_ + "/state.bin", bytes));
  const Continuation continuation = answered(before, 2);
  const Outcome outcome = run({"Yes."}, &continuation);
  EXPECT_EQ(outcome.exit_code, ExitCode::kDone);
  EXPECT_EQ(events_.refused, 1);
  EXPECT_EQ(events_.states.front().reused, 0);
  expect_each_token_once();
}

// For instance of another precision: the run goes on, and the user learns why it begins slowly.
TEST_F(ReuseTest, AStateOfAnotherKindIsToldToo) {
  run({calls(read_), "Done."});
  const std::vector<TokenId> before = log_;
  engine::SessionOptions narrow;
  narrow.kv_dtype = kernels::DType::kBF16;
  auto other = engine_->open_session(narrow);
  ASSERT_TRUE(other && other->append(before) && other->save(base_ + "/state.bin"));
  const Continuation continuation = answered(before, 2);
  state_key_ = "model";
  const Outcome outcome = run({"Yes."}, &continuation);
  EXPECT_EQ(outcome.exit_code, ExitCode::kDone);
  EXPECT_EQ(events_.refused, 1);
  expect_each_token_once();
}

TEST_F(ReuseTest, TheStoreOfPrefixesKeepsWhatWasUsedLast) {
  const std::filesystem::path folder = base_ + "/prefix";
  std::filesystem::create_directory(folder);
  const auto now = std::filesystem::file_time_type::clock::now();
  for (int i = 0; i < 5; ++i) {
    const std::filesystem::path path = folder / (std::to_string(i) + ".state");
    ASSERT_TRUE(write_file_atomic(path.string(), std::string(100, 'x')));
    std::filesystem::last_write_time(path, now - std::chrono::hours(i));
  }
  ASSERT_TRUE(write_file_atomic((folder / "other").string(), std::string(1000, 'x')));
  const std::filesystem::path abandoned = folder / "7.state.aBcDeF";
  const std::filesystem::path being_written = folder / "8.state.aBcDeF";
  for (const auto& path : {abandoned, being_written}) {
    ASSERT_TRUE(write_file_atomic(path.string(), std::string(1000, 'x')));
  }
  std::filesystem::last_write_time(abandoned, now - std::chrono::hours(2));
  const auto left = [&] {
    std::string names;
    for (int i = 0; i < 5; ++i) {
      if (std::filesystem::exists(folder / (std::to_string(i) + ".state")))
        names += std::to_string(i);
    }
    return names;
  };
  trim_prefixes(folder.string(), "", 500);
  EXPECT_EQ(left(), "01234");
  EXPECT_FALSE(std::filesystem::exists(abandoned));
  EXPECT_TRUE(std::filesystem::exists(being_written));
  trim_prefixes(folder.string(), (folder / "4.state").string(), 399);
  EXPECT_EQ(left(), "014");
  trim_prefixes(folder.string(), (folder / "4.state").string(), 0);
  EXPECT_EQ(left(), "4");
  EXPECT_TRUE(std::filesystem::exists(folder / "other"));
}

}  // namespace
}  // namespace levin::agent
