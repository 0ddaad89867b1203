// Model folders that are broken in one way each, made from the embedded model: exit 2 and a message
// that a stranger can act on.
#include <functional>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class BadModelTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
    folder_ = root_ / "model";
    fs::create_directories(folder_);
    for (const auto& entry : fs::directory_iterator(embedded_model())) {
      const fs::path to = folder_ / entry.path().filename();
      if (entry.path().extension() == ".safetensors") {
        fs::create_symlink(entry.path(), to);
      } else {
        fs::copy_file(entry.path(), to);
      }
    }
  }

  // Changes one of the folder's JSON files.
  void edit_json(const std::string& name, const std::function<void(Json&)>& change) {
    Json json = Json::parse(read_text(folder_ / name));
    change(json);
    write_text(folder_ / name, json.dump());
  }

  void expect_refused(const std::vector<std::string>& parts) {
    const test::ProgramRun run =
        levin({"run", "--model", folder_.string(), "--max-tokens", "1", "task"});
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_EQ(run.out, "");
    for (const std::string& part : parts) {
      EXPECT_TRUE(has(run.err, part)) << "\"" << part << "\" in: " << run.err;
    }
    EXPECT_FALSE(fs::exists(home_ / "state/sessions")) << "a session was begun";
  }

  fs::path folder_;
};

TEST_F(BadModelTest, TheUnchangedCopyRuns) {
  const Told told =
      run({"--model", folder_.string(), "--temperature", "0", "--max-tokens", "2", "Hello"});
  EXPECT_EQ(told.program.exit_code, 3) << told.program.err;
  EXPECT_EQ(told.reason(), "max_tokens");
}

TEST_F(BadModelTest, NoSuchFolder) {
  folder_ = root_ / "absent";
  expect_refused({folder_.string(), "no such folder", "config.json"});
}

TEST_F(BadModelTest, NoConfig) {
  fs::remove(folder_ / "config.json");
  expect_refused({"config.json"});
}

TEST_F(BadModelTest, ConfigThatIsNoJson) {
  write_text(folder_ / "config.json", "{\"hidden_size\": ");
  expect_refused({"config.json", "JSON"});
}

TEST_F(BadModelTest, NoWeights) {
  fs::remove(folder_ / "model.safetensors");
  expect_refused({"model.safetensors", "model.safetensors.index.json"});
}

TEST_F(BadModelTest, TruncatedWeights) {
  fs::remove(folder_ / "model.safetensors");
  fs::copy_file(embedded_model() / "model.safetensors", folder_ / "model.safetensors");
  for (const uintmax_t size :
       {uintmax_t{9'000'000}, uintmax_t{5000}, uintmax_t{8}, uintmax_t{3}, uintmax_t{0}}) {
    fs::resize_file(folder_ / "model.safetensors", size);
    expect_refused({"model.safetensors"});
  }
}

TEST_F(BadModelTest, WrongShapes) {
  edit_json("config.json", [](Json& config) { config["intermediate_size"] = 96; });
  expect_refused({"w1", "[128, 256]", "[96, 256]"});
}

TEST_F(BadModelTest, OneLayerMoreThanTheFileHolds) {
  edit_json("config.json", [](Json& config) {
    config["num_hidden_layers"] = 7;
    config["attn_type_list"].push_back(0);
  });
  expect_refused({"layers.6"});
}

TEST_F(BadModelTest, AnotherArchitecture) {
  edit_json("config.json",
            [](Json& config) { config["architectures"] = Json::array({"LlamaForCausalLM"}); });
  expect_refused({"LlamaForCausalLM"});
}

TEST_F(BadModelTest, NoTokenizer) {
  fs::remove(folder_ / "tokenizer.json");
  expect_refused({"tokenizer.json"});
}

TEST_F(BadModelTest, AnUnknownTypeOfTokenizer) {
  edit_json("tokenizer.json", [](Json& file) { file["model"]["type"] = "Unigram"; });
  expect_refused({"tokenizer.json", "Unigram", "BPE"});
}

TEST_F(BadModelTest, MoreTokenIdsThanTheModelHas) {
  edit_json("tokenizer.json", [](Json& file) {
    Json token = file["added_tokens"].back();
    token["id"] = 2048;
    token["content"] = "<one_too_many>";
    file["added_tokens"].push_back(token);
  });
  expect_refused({"ids up to 2048", "vocabulary has 2048"});
}

TEST_F(BadModelTest, ATokenizerWithoutTheMarkers) {
  edit_json("tokenizer.json", [](Json& file) {
    for (Json& token : file["added_tokens"]) {
      if (token["content"] == "<end_of_sentence>") token["content"] = "<other>";
    }
  });
  expect_refused({"<end_of_sentence>"});
}

TEST_F(BadModelTest, LevinJsonIsReadStrictly) {
  const std::string good = read_text(folder_ / "levin.json");
  edit_json("levin.json", [](Json& card) { card["colour"] = "red"; });
  expect_refused({"levin.json", "unknown key 'colour'", "known are"});
  write_text(folder_ / "levin.json", good);
  edit_json("levin.json", [](Json& card) { card["sampling"]["temperature"] = "warm"; });
  expect_refused({"levin.json", "'temperature'", "\"warm\"", "expected a number"});
  write_text(folder_ / "levin.json", good);
  edit_json("levin.json", [](Json& card) { card["profile"] = "maxi"; });
  expect_refused({"no prompt profile 'maxi'", "core", "mini"});
  write_text(folder_ / "levin.json", "[]");
  expect_refused({"levin.json", "expected a JSON object"});
}

TEST_F(BadModelTest, ModelInfoSaysTheSame) {
  edit_json("config.json", [](Json& config) { config["intermediate_size"] = 96; });
  const test::ProgramRun run = levin({"model", "info", folder_.string()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(has(run.err, "w1")) << run.err;
}

}  // namespace
}  // namespace levin::cli
