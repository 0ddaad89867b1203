// Model files as users have them, at the command line: quantised copies of each type, GGUF files,
// chat templates that are not known, and hostile files.
#include <fstream>

#include "tests/cli/cli_fixture.h"
#include "tests/engine/gguf_writer.h"

namespace levin::cli {
namespace {

using engine::GgufContent;

class ModelFileTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
  }

  // The embedded model as a GGUF file. Its own way to split text has no name there: another one.
  static GgufContent embedded_gguf(const std::string& dtype) {
    GgufContent content = gguf_of(engine::folder_model(embedded_model().string()), dtype);
    const auto tokenizer = nlohmann::json::parse(read_text(embedded_model() / "tokenizer.json"));
    add_tokenizer(tokenizer, "gpt-4o", 2048, &content);
    return content;
  }

  std::string write_gguf(const std::string& name, const std::string& bytes) const {
    const fs::path path = root_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }

  // The embedded model's card beside it: its context is short, the default profile is not.
  std::string write_gguf_with_card(const std::string& name, const std::string& bytes) const {
    fs::copy_file(embedded_model() / "levin.json", root_ / (name + ".levin.json"));
    return write_gguf(name + ".gguf", bytes);
  }

  // One reply of at most two tokens.
  void expect_runs(const std::string& model, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--model", model, "--max-tokens", "2", "Hello"};
    arguments.insert(arguments.begin(), more.begin(), more.end());
    const Told told = run(arguments);
    EXPECT_EQ(told.program.exit_code, 3) << told.program.err;
    EXPECT_EQ(told.reason(), "max_tokens");
  }

  void expect_refused(const std::string& model, const std::vector<std::string>& parts) {
    const test::ProgramRun run = levin({"run", "--model", model, "--max-tokens", "1", "task"});
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_EQ(run.out, "");
    for (const std::string& part : parts) {
      EXPECT_TRUE(has(run.err, part)) << "\"" << part << "\" in: " << run.err;
    }
    EXPECT_FALSE(fs::exists(home_ / "state/sessions")) << "a session was begun";
  }
};

TEST_F(ModelFileTest, EachTypeIsWrittenMeasuredAndRuns) {
  for (const std::string type : {"q8", "q4", "experts-int8"}) {
    const std::string copy = (root_ / type).string();
    const test::ProgramRun made =
        levin({"model", "quantize", embedded_model().string(), copy, "--type", type});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    EXPECT_TRUE(has(made.out, "tensors as " + type + ", ")) << made.out;
    EXPECT_TRUE(has(made.out, "KL divergence 0.")) << made.out;
    EXPECT_TRUE(has(made.out, "same best token ")) << made.out;
    EXPECT_LT(fs::file_size(fs::path(copy) / "model.safetensors"),
              fs::file_size(embedded_model() / "model.safetensors"));
    const test::ProgramRun info = levin({"model", "info", copy});
    EXPECT_TRUE(has(info.out, (type == "experts-int8" ? "i8" : type) + " tiles")) << info.out;
    expect_runs(copy);
  }
}

TEST_F(ModelFileTest, ACopyThatCanNotBeIsRefused) {
  const std::string source = embedded_model().string();
  const std::string copy = (root_ / "copy").string();
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& part) {
    const test::ProgramRun run = levin(arguments);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_TRUE(has(run.err, part)) << "\"" << part << "\" in: " << run.err;
  };
  refused({"model", "quantize", source, copy, "--type", "q5"}, "q5");
  refused({"model", "quantize", source, repository_.string(), "--type", "q8"}, "not empty");
  refused({"model", "quantize", copy, copy + "2", "--type", "q8"}, copy);
  ASSERT_EQ(levin({"model", "quantize", source, copy, "--type", "q8"}).exit_code, 0);
  refused({"model", "quantize", copy, copy + "2", "--type", "q4"}, "is U8");
  EXPECT_TRUE(!fs::exists(copy + "2") || fs::is_empty(copy + "2"));
}

TEST_F(ModelFileTest, AGgufFileRunsAndIsQuantised) {
  const std::string path = write_gguf_with_card("small", embedded_gguf("Q8_0").bytes());
  expect_runs(path, {"--precision", "native"});
  expect_runs(path, {"--precision", "exact"});
  const std::string copy = (root_ / "copy").string();
  const test::ProgramRun made = levin({"model", "quantize", path, copy, "--type", "q4"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_TRUE(has(made.out, "KL divergence 0.")) << made.out;
  for (const char* file : {"config.json", "tokenizer.json", "model.safetensors", "levin.json"}) {
    EXPECT_TRUE(fs::exists(fs::path(copy) / file)) << file;
  }
  expect_runs(copy);
}

TEST_F(ModelFileTest, AnUnknownChatTemplateIsRefusedWithTheOptionThatNamesOne) {
  GgufContent content = embedded_gguf("Q4_0");
  content.set("tokenizer.chat_template", engine::gguf_text("{{ messages[0].content }}"));
  const std::string path = write_gguf_with_card("odd", content.bytes());
  expect_refused(path, {path, "chat template", "--chat-template m1, text-01 or vllm"});
  const std::string copy = (root_ / "copy").string();
  const test::ProgramRun none = levin({"model", "quantize", path, copy, "--type", "q8"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_TRUE(has(none.err, "--chat-template m1, text-01 or vllm")) << none.err;
  EXPECT_FALSE(fs::exists(copy));
  for (const std::string family : {"m1", "text-01", "vllm"}) {
    expect_runs(path, {"--chat-template", family});
  }
  const test::ProgramRun made =
      levin({"model", "quantize", path, copy, "--type", "q8", "--chat-template", "vllm"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  const test::ProgramRun wrong =
      levin({"run", "--model", path, "--chat-template", "llama", "task"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_TRUE(has(wrong.err, "m1, text-01 or vllm")) << wrong.err;
}

TEST_F(ModelFileTest, HostileFilesAreRefusedByName) {
  const GgufContent good = embedded_gguf("Q8_0");
  const std::string bytes = good.bytes();
  const auto changed = [&](size_t at, const std::string& with) {
    std::string copy = bytes;
    return copy.replace(at, with.size(), with);
  };
  const std::string huge(8, '\x7F');
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"empty", "", "empty.gguf"},
      {"other", "PK" + bytes.substr(2), "GGUF"},
      {"version", changed(4, "\x63"), "version 99"},
      {"tensors", changed(8, huge), "tensors"},
      {"keys", changed(16, huge), "keys"},
      {"cut-head", bytes.substr(0, 1000), "truncated?"},
      {"cut-data", bytes.substr(0, bytes.size() - 100), "truncated?"},
      {"name", changed(24, huge), "bytes"},
  };
  for (const auto& [name, content, part] : cases) {
    SCOPED_TRACE(name);
    const std::string path = write_gguf(name + ".gguf", content);
    expect_refused(path, {path, part});
  }
  GgufContent scale = good;
  std::string& weights = scale.tensor("blk.1.attn_qkv.weight").data;
  weights.replace(34 * 5, 2, std::string("\x00\x7C", 2));
  expect_refused(write_gguf("scale.gguf", scale.bytes()),
                 {"self_attn.qkv_proj.weight", "a scale is not a finite number"});
  GgufContent norm = good;
  norm.tensor("output_norm.weight").data.replace(8, 4, std::string("\x00\x00\xC0\x7F", 4));
  expect_refused(write_gguf("norm.gguf", norm.bytes()),
                 {"model.norm.weight", "number 2 is not a finite number"});
  GgufContent other = good;
  other.set("general.architecture", engine::gguf_text("llama\x1B[2J"));
  expect_refused(write_gguf("other-arch.gguf", other.bytes()), {"minimax-01"});
}

}  // namespace
}  // namespace levin::cli
