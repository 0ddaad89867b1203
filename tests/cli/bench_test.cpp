// levin bench and levin model random as scripts see them.
#include <filesystem>
#include <set>

#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

class BenchTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    make_repository({{"a.txt", "one\n"}});
    model_ = (root_ / "model").string();
  }

  void expect_refused(const std::vector<std::string>& arguments, const std::string& part) {
    const test::ProgramRun run = levin(arguments);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_TRUE(has(run.err, part)) << "\"" << part << "\" in: " << run.err;
    EXPECT_EQ(run.out, "");
  }

  std::string model_;
};

TEST_F(BenchTest, ARandomModelIsMeasuredAndPlotted) {
  const test::ProgramRun made =
      levin({"model", "random", "--like", "long", "--type", "q4", "--out", model_});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const std::string svg = (root_ / "plot.svg").string();
  const test::ProgramRun run =
      levin({"bench", "--model", model_, "--threads", "1,2", "--depth", "0,1k", "--prefill", "64",
             "--decode", "4", "--json", "--svg", svg});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json all = Json::parse(run.out);
  ASSERT_EQ(all.size(), 4u);
  const std::set<std::string> keys = {
      "depth",   "threads",  "prefill_tps", "prefill_median_tps", "decode_tps", "decode_median_tps",
      "ttft_ms", "kv_bytes", "state_bytes", "rss_bytes"};
  for (const Json& one : all) {
    std::set<std::string> found;
    for (const auto& [key, value] : one.items()) {
      found.insert(key);
      EXPECT_TRUE(value.is_number()) << key;
      EXPECT_GE(value.get<double>(), key == "depth" ? 0 : 1e-9) << key;
    }
    EXPECT_EQ(found, keys);
  }
  EXPECT_EQ(all[1]["depth"], 1024);
  EXPECT_EQ(all[3]["threads"], 2);
  EXPECT_EQ(all[0]["state_bytes"], all[1]["state_bytes"]);  // Linear states do not grow.
  EXPECT_TRUE(has(read_text(svg), "<polyline"));
}

// tests/bench/beside_llama.py sets levin beside llama.cpp on such a file.
TEST_F(BenchTest, TheRandomGgufOfTheComparisonIsRead) {
  const std::string script = std::string(LEVIN_SOURCE_DIR) + "/tests/bench/random_gguf.py";
  for (const std::string type : {"Q4_0", "Q8_0"}) {
    const std::string path = (root_ / (type + ".gguf")).string();
    const test::ProgramRun made = test::run_program({"python3", script, "long", type, path});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const test::ProgramRun run = levin({"bench", "--model", path, "--threads", "1", "--depth", "0",
                                        "--prefill", "64", "--decode", "2", "--json"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_GT(Json::parse(run.out)[0]["decode_tps"], 0);
    // Logits are numbers: a token is drawn.
    const Told told = this->run({"--model", path, "--max-tokens", "1", "Hello"});
    EXPECT_EQ(told.program.exit_code, 3) << told.program.err;
  }
}

// A state that was kept is where the next measurement begins: no time at all is enough for it.
TEST_F(BenchTest, KeptStatesAreUsedAgain) {
  ASSERT_EQ(levin({"model", "random", "--like", "long", "--out", model_}).exit_code, 0);
  const std::string states = (root_ / "states").string();
  const auto bench = [&](const std::string& depth, const std::string& seconds) {
    return levin({"bench", "--model", model_, "--threads", "1", "--depth", depth, "--prefill", "8",
                  "--decode", "1", "--states", states, "--seconds", seconds, "--json"});
  };
  const test::ProgramRun none = bench("2k", "0.000000001");
  ASSERT_EQ(none.exit_code, 0) << none.err;
  EXPECT_EQ(Json::parse(none.out)[0]["depth"], 0);
  EXPECT_TRUE(has(none.err, "depth 2048 was not reached")) << none.err;

  ASSERT_EQ(bench("1k,2k", "600").exit_code, 0);
  const test::ProgramRun again = bench("2k,4k,8k", "0.000000001");
  const Json rows = Json::parse(again.out);
  ASSERT_EQ(rows.size(), 2u) << again.err;
  EXPECT_EQ(rows[0]["depth"], 2048);
  EXPECT_EQ(rows[1]["depth"], 2048);
  EXPECT_TRUE(has(again.err, "depth 4096 was not reached")) << again.err;

  for (const auto& entry : std::filesystem::directory_iterator(states)) {
    if (has(entry.path().string(), "-2048.")) std::filesystem::resize_file(entry.path(), 1000);
  }
  const test::ProgramRun cut = bench("2k", "0.000000001");
  EXPECT_TRUE(has(cut.err, "state not used: ")) << cut.err;
  EXPECT_EQ(Json::parse(cut.out)[0]["depth"], 1024) << "the next deepest";
}

TEST_F(BenchTest, AFilledContextReadsAsMuchAsARealOneAndSaysSo) {
  ASSERT_EQ(levin({"model", "random", "--like", "long", "--out", model_}).exit_code, 0);
  const auto bench = [&](const std::string& depth, const std::string& fill) {
    return levin({"bench", "--model", model_, "--threads", "1", "--depth", depth, "--prefill", "8",
                  "--decode", "1", "--fill", fill, "--json"});
  };
  const Json read = Json::parse(bench("4k", "read").out);
  const test::ProgramRun run = bench("4k", "synthetic");
  const Json filled = Json::parse(run.out);
  EXPECT_EQ(filled[0]["depth"], 4096);
  EXPECT_EQ(filled[0]["kv_bytes"], read[0]["kv_bytes"]);
  EXPECT_EQ(filled[0]["context"], "synthetic");
  EXPECT_FALSE(read[0].contains("context"));
  EXPECT_TRUE(has(run.err, "copies")) << run.err;
  expect_refused({"bench", "--model", model_, "--depth", "5000", "--fill", "synthetic"},
                 "depth 5000 is no multiple of 1024");
  expect_refused({"bench", "--model", model_, "--fill", "synthetic", "--states", model_ + "2"},
                 "leave out --states");
}

TEST_F(BenchTest, WhatCanNotBeMeasuredIsNamed) {
  expect_refused({"bench", "--depth", "8k,0"}, "'0' is no whole number");
  expect_refused({"bench", "--depth", "12x"}, "'12x'");
  expect_refused({"bench", "--threads", "0"}, "--threads 0");
  expect_refused({"bench", "--model", model_}, model_);
}

TEST_F(BenchTest, ARandomModelIsNotWrittenOverAnother) {
  const std::vector<std::string> make = {"model", "random", "--like", "long", "--out", model_};
  ASSERT_EQ(levin(make).exit_code, 0);
  expect_refused(make, "holds a model already");
  expect_refused({"model", "random", "--like", "huge", "--out", model_}, "expected m1-5b, tiny");
  expect_refused({"model", "random", "--like", "tiny", "--type", "q3", "--out", model_ + "2"},
                 "--type q3: expected bf16, q8 or q4");
}

}  // namespace
}  // namespace levin::cli
