// levin bench and levin model random as scripts see them.
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
  const std::set<std::string> keys = {"depth",   "threads",  "prefill_tps", "decode_tps",
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
