// The plumbing commands, as another program would use them.
#include <fstream>
#include <sstream>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

const fs::path kSource = LEVIN_SOURCE_DIR;

class PlumbingTest : public CliTest {
 protected:
  test::ProgramRun feed(const std::vector<std::string>& arguments, const std::string& input) const {
    test::ProgramOptions options;
    options.standard_input = input;
    return levin(arguments, options);
  }
};

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(Json::parse(line, nullptr, false));
  }
  return lines;
}

TEST_F(PlumbingTest, TokenizeAndDetokenizeEqualTheGoldens) {
  for (const char* name : {"mini_gpt2", "mini_o200k", "mini_qwen_nfc", "tiny320_o200k"}) {
    const fs::path folder = kSource / "tests/golden/tokenizer" / name;
    const Json cases = Json::parse(read_text(folder / "expected.json"))["cases"];
    std::string texts, ids;
    for (const Json& one : cases) {
      texts += one["text"].dump() + "\n";
      ids += one["ids"].dump() + "\n";
    }
    const std::string tokenizer = (folder / "tokenizer.json").string();
    const auto encoded = feed({"debug", "tokenize", "--tokenizer", tokenizer}, texts);
    const auto decoded = feed({"debug", "detokenize", "--tokenizer", tokenizer}, ids);
    ASSERT_EQ(encoded.exit_code, 0) << encoded.err;
    ASSERT_EQ(decoded.exit_code, 0) << decoded.err;
    const auto encoded_lines = json_lines(encoded.out);
    const auto decoded_lines = json_lines(decoded.out);
    ASSERT_EQ(encoded_lines.size(), cases.size());
    ASSERT_EQ(decoded_lines.size(), cases.size());
    for (size_t index = 0; index < cases.size(); ++index) {
      const Json& one = cases[index];
      EXPECT_EQ(encoded_lines[index], one["ids"]) << name << one["text"];
      EXPECT_EQ(decoded_lines[index], one.contains("decoded") ? one["decoded"] : one["text"]);
    }
  }
}

TEST_F(PlumbingTest, TokenizeCanSwitchSpecialTokensOff) {
  const std::string tokenizer = (embedded_model() / "tokenizer.json").string();
  const std::string text = "\"<end_of_sentence>\"\n";
  const auto on = feed({"debug", "tokenize", "--tokenizer", tokenizer}, text);
  const auto off = feed({"debug", "tokenize", "--no-special", "--tokenizer", tokenizer}, text);
  EXPECT_EQ(json_lines(on.out).at(0), Json::array({1853})) << on.err;
  EXPECT_GT(json_lines(off.out).at(0).size(), 1u) << off.err;
  EXPECT_FALSE(has(off.out, "1853"));
}

TEST_F(PlumbingTest, TokenizeRefusesWithTheLine) {
  const std::string tokenizer = (embedded_model() / "tokenizer.json").string();
  const auto bad = feed({"debug", "tokenize", "--tokenizer", tokenizer}, "\"a\"\n7\n");
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_TRUE(has(bad.err, "line 2")) << bad.err;
  const auto id = feed({"debug", "detokenize", "--tokenizer", tokenizer}, "[0]\n[4000000]\n");
  EXPECT_EQ(id.exit_code, 2);
  EXPECT_TRUE(has(id.err, "line 2")) << id.err;
  const auto absent = feed({"debug", "tokenize", "--tokenizer", "/absent/t.json"}, "");
  EXPECT_EQ(absent.exit_code, 2);
  EXPECT_TRUE(has(absent.err, "/absent/t.json")) << absent.err;
}

TEST_F(PlumbingTest, RenderEqualsTheGoldens) {
  const std::vector<std::pair<std::string, std::string>> templates = {
      {"m1", "minimax_m1_hf.json"}, {"vllm", "minimax_m1_vllm.json"}};
  for (const auto& [name, file] : templates) {
    const Json golden = Json::parse(read_text(kSource / "tests/golden/chat_template" / file));
    ASSERT_FALSE(golden["cases"].empty());
    for (const Json& one : golden["cases"]) {
      if (!one.contains("rendered")) continue;
      const auto run = feed({"debug", "render", "--template", name}, one.dump());
      EXPECT_EQ(run.exit_code, 0) << run.err;
      EXPECT_EQ(run.out, one["rendered"].get<std::string>()) << name << " " << one["name"];
    }
  }
  EXPECT_EQ(feed({"debug", "render", "--template", "m1"}, "{").exit_code, 2);
}

// All scenario replies through the program, whole or in small pieces.
TEST_F(PlumbingTest, ParseReadsTheScenariosInAnyChunks) {
  int number = 0;
  for (const char* file : {"calls.json", "damaged.json", "text.json"}) {
    const Json cases = Json::parse(read_text(kSource / "tests/scenarios/replies" / file));
    for (const Json& one : cases) {
      if (one.value("reasoning_open", false)) continue;  // No option of the program.
      const std::string text = one["text"];
      if (has(text, "<end_of_sentence>")) continue;  // Removed at the end by the program.
      // Whole, then by 1, 2, 3 and 4 bytes: one program run a case, to be quick.
      const auto run = feed({"debug", "parse", "--chunk", std::to_string(number++ % 5)}, text);
      ASSERT_EQ(run.exit_code, 0) << run.err;
      const Json parsed = Json::parse(run.out);
      const Json& expect = one["expect"];
      EXPECT_EQ(parsed["reasoning"], expect.value("reasoning", "")) << one["title"];
      EXPECT_EQ(parsed["content"], expect.value("content", "")) << one["title"];
      const Json calls = expect.value("calls", Json::array());
      ASSERT_EQ(parsed["tool_calls"].size(), calls.size()) << one["title"];
      for (size_t index = 0; index < calls.size(); ++index) {
        const bool cut = calls[index].size() > 2;
        EXPECT_EQ(parsed["tool_calls"][index]["name"], calls[index][0]) << one["title"];
        EXPECT_EQ(parsed["tool_calls"][index]["arguments"], cut ? Json() : calls[index][1]);
      }
      EXPECT_EQ(parsed["problems"].size(), expect.value("problems", Json::array()).size());
      EXPECT_EQ(parsed["finish_reason"] == "length", expect.value("cut", false)) << one["title"];
    }
  }
}

TEST_F(PlumbingTest, ToolsAnswerAndExitByTheResult) {
  write_text(repository_ / "a.txt", "one\ntwo\n");
  const auto tool = [&](const std::string& name, const std::string& arguments) {
    return feed({"tool", name, "--workspace", repository_.string()}, arguments);
  };
  const auto read = tool("read", R"({"path": "a.txt"})");
  EXPECT_EQ(read.exit_code, 0) << read.err;
  EXPECT_EQ(read.out, "a.txt (lines 1-2 of 2, 814f4a42)\n1\tone\n2\ttwo\n");
  const auto edit = tool("edit", R"({"path": "a.txt", "edits": [{"old": "two", "new": "2"}]})");
  EXPECT_EQ(edit.exit_code, 0);
  EXPECT_EQ(edit.out, "ok: 1 edit in a.txt\n1\tone\n2\t2\n");
  const auto write = tool("write", R"({"path": "b.txt", "content": "x\n"})");
  EXPECT_EQ(write.out, "wrote b.txt (1 lines)\n");
  const auto search = tool("search", R"({"pattern": "on"})");
  EXPECT_EQ(search.exit_code, 0);
  EXPECT_TRUE(has(search.out, "a.txt")) << search.out;
  const auto bash = tool("bash", R"({"command": "cat a.txt; exit 4"})");
  EXPECT_EQ(bash.exit_code, 0) << "a command that ran is no E_ result";
  EXPECT_EQ(bash.out, "exit 4\none\n2\n");
  EXPECT_EQ(read_text(repository_ / "b.txt"), "x\n");
}

TEST_F(PlumbingTest, ToolsExit1OnAnErrorResultAnd2OnBadUse) {
  const auto tool = [&](const std::string& name, const std::string& arguments) {
    return feed({"tool", name, "--workspace", repository_.string()}, arguments);
  };
  for (const auto& [name, arguments, code] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"read", R"({"path": "absent"})", "E_PATH"},
           {"read", R"({"path": "../x"})", "E_DENIED"},
           {"read", "{", "E_JSON"},
           {"read", "{}", "E_ARGS"},
           {"bash", "", "E_JSON"},
           {"edit", R"({"path": "absent", "edits": []})", "E_"},
           {"search", R"({"pattern": "("})", "E_"},
           {"nothing", "{}", "E_TOOL"}}) {
    const auto run = tool(name, arguments);
    EXPECT_EQ(run.exit_code, 1) << name << arguments << run.out << run.err;
    EXPECT_TRUE(run.out.starts_with(code)) << run.out;
  }
  const auto folder = feed({"tool", "read", "--workspace", "/absent/folder"}, "{}");
  EXPECT_EQ(folder.exit_code, 2);
  EXPECT_EQ(folder.out, "");
  EXPECT_TRUE(has(folder.err, "/absent/folder")) << folder.err;
}

TEST_F(PlumbingTest, ModelInfoDescribesTheEmbeddedModel) {
  const auto run = levin({"model", "info", "--json", embedded_model().string()});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json info = Json::parse(run.out);
  EXPECT_EQ(info["architecture"], "MiniMaxM1ForCausalLM");
  EXPECT_EQ(info["layers"], 6);
  EXPECT_EQ(info["lightning_layers"], 4);
  EXPECT_EQ(info["softmax_layers"], 2);
  EXPECT_EQ(info["vocab_size"], 2048);
  EXPECT_EQ(info["profile"], "mini");
  EXPECT_TRUE(info["dtypes"].contains("BF16"));
  // The README's figures: 7.42 million parameters, of which a token uses 3.4 million.
  EXPECT_EQ(info["parameters"].get<int64_t>() / 10'000, 742);
  const auto plain = levin({"model", "info", embedded_model().string()});
  EXPECT_EQ(plain.exit_code, 0);
  EXPECT_TRUE(has(plain.out, "MiniMaxM1ForCausalLM"));
  const auto absent = levin({"model", "info", "/absent/model"});
  EXPECT_EQ(absent.exit_code, 2);
  EXPECT_TRUE(has(absent.err, "/absent/model")) << absent.err;
}

TEST_F(PlumbingTest, DoctorSaysWhatTheMachineOffers) {
  const auto run = levin({"doctor"});
  EXPECT_TRUE(run.exit_code == 0 || run.exit_code == 1) << run.err;
  for (const char* part : {"engine", "device", "embedded model", "sandbox", "warden", "seccomp"}) {
    EXPECT_TRUE(has(run.out, part)) << part << " in:\n" << run.out;
  }
  EXPECT_FALSE(has(run.out, "missing embedded model")) << run.out;
}

TEST_F(PlumbingTest, HelpAndVersion) {
  const auto help = levin({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* name : {"run", "model", "tool", "debug", "doctor"}) {
    EXPECT_TRUE(has(help.out, name)) << help.out;
  }
  const auto run = levin({"run", "--help"});
  EXPECT_EQ(run.exit_code, 0);
  for (const char* option :
       {"--model", "--json", "--max-turns", "--max-tokens", "--think-budget", "--seed",
        "--temperature", "--top-p", "--threads", "--sandbox", "--stop", "script:FILE"}) {
    EXPECT_TRUE(has(run.out, option)) << option << " in:\n" << run.out;
  }
  const auto version = levin({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.out.starts_with("levin 0.")) << version.out;
}

}  // namespace
}  // namespace levin::cli
