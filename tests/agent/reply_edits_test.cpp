// Edits in a reply's prose, alone and through the whole program with a scripted model.
#include "agent/reply_edits.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "agent/agent.h"
#include "agent/script_model.h"
#include "agent/session_start.h"
#include "base/file_io.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

const std::string kBlock = "a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n";

TEST(ReplyEdits, FindsAllFormsInProse) {
  const ReplyEdits edits =
      find_reply_edits("I change it:\n\n" + kBlock +
                       "\nand b.py:\n```diff\n--- a/b.py\n+++ b/b.py\n@@ -1 +1 @@\n-b\n+c\n```\n"
                       "then\n*** Begin Patch\n*** Delete File: c.py\n*** End Patch\nDone.");
  ASSERT_EQ(edits.groups.size(), 3u);
  EXPECT_EQ(edits.groups[0].operations[0].path, "a.py");
  EXPECT_EQ(edits.groups[1].operations[0].hunks.size(), 1u);
  EXPECT_EQ(edits.groups[2].operations[0].path, "c.py");
}

TEST(ReplyEdits, PlainProseHasNone) {
  for (const std::string text :
       {"All done.", "```python\nx = 1\n```", "--- a\nno diff", "use <html> tags", "a <<<<<<< b"}) {
    const ReplyEdits edits = find_reply_edits(text);
    EXPECT_TRUE(edits.groups.empty()) << text;
    EXPECT_FALSE(edits.page.has_value()) << text;
  }
}

TEST(ReplyEdits, Pages) {
  const std::string page = "<!DOCTYPE html>\n<html><body>\n</body></html>\n";
  EXPECT_EQ(find_reply_edits("```html\n" + page + "```\n").page->path, "index.html");
  EXPECT_EQ(find_reply_edits(page).page->content, page);
  EXPECT_EQ(find_reply_edits("`app/game.html`:\n```html\n" + page + "```").page->path,
            "app/game.html");
  EXPECT_FALSE(find_reply_edits("```html\n<!doctype html>\n<html>\n```").page.has_value());
}

// A run of the loop with scripted replies in a folder of its own.
class ReplyEditsRun : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "levin-edits-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    std::filesystem::create_directories(base_ + "/work");
    put("a.py", "x = 1\n");
    put("b.py", "b\n");
  }
  void TearDown() override { std::filesystem::remove_all(base_); }
  void put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(write_file_atomic(base_ + "/work/" + path, text));
  }
  std::string get(const std::string& path) {
    const Result<std::string> text = read_file(base_ + "/work/" + path);
    return text ? *text : "(none)";
  }

  struct Quiet final : EventSink {
    void on_event(const Event& event) override { (void)event; }
  };

  // What the model saw after its replies, decoded; sets exit_.
  std::string run(const std::vector<std::string>& replies) {
    std::string script;
    for (const std::string& text : replies) script += nlohmann::json{{"text", text}}.dump() + "\n";
    EXPECT_TRUE(write_file_atomic(base_ + "/s.jsonl", script));
    auto tokenizer = engine::Tokenizer::load(LEVIN_SOURCE_DIR
                                             "/tests/golden/tokenizer/mini_o200k/tokenizer.json");
    EXPECT_TRUE(tokenizer);
    auto model = *ScriptModel::create(base_ + "/s.jsonl", *tokenizer, {});
    const auto writer = *engine::PromptWriter::create(*tokenizer);
    auto workspace = *tools::Workspace::open(base_ + "/work");
    tools::ToolContext context{workspace, nullptr, {}, nullptr, ""};
    const tools::Registry registry = tools::make_registry();
    Quiet events;
    SessionRecord header;
    header.id = "t" + std::to_string(runs_++);
    auto transcript = *Transcript::create(base_ + "/" + header.id, header);
    Agent agent(*model, writer, registry, context, events, transcript, AgentOptions{});
    const Profile none;
    EXPECT_TRUE(start_log({*model, writer, transcript, none, "", "", ""}, "do it", events));
    exit_ = agent.run().exit_code;
    const auto& log = model->token_log();
    return tokenizer->decode(log);
  }

  std::string base_;
  int runs_ = 0;
  ExitCode exit_ = ExitCode::kFailed;
};

TEST_F(ReplyEditsRun, BlocksAreEditCallsPerFile) {
  const std::string log =
      run({kBlock + "\nb.py\n<<<<<<< SEARCH\nnot there\n=======\ny\n>>>>>>> REPLACE\n", "Done."});
  EXPECT_EQ(exit_, ExitCode::kDone);
  EXPECT_EQ(get("a.py"), "x = 2\n");
  EXPECT_EQ(get("b.py"), "b\n");
  EXPECT_NE(log.find("tool name: edit\ntool result: ok: 1 edit in a.py"), std::string::npos) << log;
  EXPECT_NE(log.find("tool name: edit\ntool result: E_NO_MATCH b.py"), std::string::npos) << log;
}

TEST_F(ReplyEditsRun, APatchIsOneForAllItsFiles) {
  run(
      {"*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 3\n*** Update File: "
       "b.py\n@@\n-no\n"
       "+y\n*** End Patch",
       "Done."});
  EXPECT_EQ(get("a.py"), "x = 1\n");
  run({"```diff\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 4\n```", "Done."});
  EXPECT_EQ(get("a.py"), "x = 4\n");
}

TEST_F(ReplyEditsRun, ReasoningAndRepliesWithCallsAreNotSearched) {
  run({"<think>\n" + kBlock + "</think>\nNothing to do."});
  EXPECT_EQ(exit_, ExitCode::kDone);
  EXPECT_EQ(get("a.py"), "x = 1\n");
  run({kBlock +
           "<tool_calls>\n{\"name\": \"read\", \"arguments\": {\"path\": \"b.py\"}}\n</tool_calls>",
       "Done."});
  EXPECT_EQ(get("a.py"), "x = 1\n");
}

TEST_F(ReplyEditsRun, APageIsAFinalAnswer) {
  const std::string page = "<!doctype html>\n<html></html>\n";
  run({"```html\n" + page + "```"});
  EXPECT_EQ(exit_, ExitCode::kDone);
  EXPECT_EQ(get("index.html"), page);
  const std::string log = run({"<html>\nother\n</html>\n", "I leave it."});
  EXPECT_EQ(get("index.html"), page);
  EXPECT_NE(log.find("E_PATH index.html exists already"), std::string::npos);
}

}  // namespace
}  // namespace levin::agent
