// `levin debug logits` on every golden model, with the prefill cut into chunks of several sizes.
#include <cmath>
#include <cstring>

#include "engine/safetensors.h"
#include "tests/cli/cli_fixture.h"

namespace levin::cli {
namespace {

using engine::SafeTensors;
using engine::TensorInfo;

float element(const TensorInfo& tensor, int64_t index) {
  float value = 0;
  std::memcpy(&value, tensor.data.data() + static_cast<size_t>(index) * sizeof value, sizeof value);
  return value;
}

struct Difference {
  double largest = 0;    // Of all differences.
  double magnitude = 0;  // The largest expected one.
};

Difference compare(const TensorInfo& expected, const TensorInfo& found) {
  Difference difference;
  for (int64_t index = 0; index < expected.num_elements(); ++index) {
    const double want = element(expected, index);
    const double have = element(found, index);
    // A NaN is never within a tolerance.
    const double off = std::isfinite(have) ? std::abs(want - have) : HUGE_VAL;
    difference.largest = std::max(difference.largest, off);
    difference.magnitude = std::max(difference.magnitude, std::abs(want));
  }
  return difference;
}

class LogitsTest : public CliTest {
 protected:
  // Tolerances: tests/golden/minimax_m1/README.md.
  void check(const std::string& name, int chunk) {
    const fs::path golden = fs::path(LEVIN_SOURCE_DIR) / "tests/golden/minimax_m1" / name;
    const std::string out = (root_ / "out.safetensors").string();
    const test::ProgramRun run = levin({"debug", "logits", "--model", golden.string(), "--input",
                                        (golden / "input.json").string(), "--out", out, "--chunk",
                                        std::to_string(chunk), "--threads", "1"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const auto expected = SafeTensors::open_file((golden / "expected.safetensors").string());
    const auto found = SafeTensors::open_file(out);
    ASSERT_TRUE(expected) << expected.error().message();
    ASSERT_TRUE(found) << found.error().message();
    int compared = 0;
    for (const auto& [tensor, want] : expected->tensors()) {
      const bool is_logits = has(tensor, ".prefill_logits") || has(tensor, ".decode_logits");
      const bool is_state = has(tensor, ".state_prefill.") || has(tensor, ".state_decode.");
      if (!is_logits && !is_state) continue;
      const TensorInfo* have = found->find(tensor);
      ASSERT_NE(have, nullptr) << tensor;
      ASSERT_EQ(have->shape, want.shape) << tensor;
      const Difference difference = compare(want, *have);
      EXPECT_LE(difference.largest, is_logits ? 1e-4 : 1e-5 * difference.magnitude)
          << name << " " << tensor << " --chunk " << chunk;
      ++compared;
    }
    EXPECT_GT(compared, 0);
    EXPECT_EQ(static_cast<size_t>(compared), found->tensors().size()) << "more than was asked for";
  }

  void check_all_chunks(const std::string& name) {
    for (const int chunk : {1, 7, 64, 256, 300}) check(name, chunk);
  }
};

TEST_F(LogitsTest, Alt0101) {
  check_all_chunks("alt_0101");
}
TEST_F(LogitsTest, Base7To1) {
  check_all_chunks("base_7to1");
}
TEST_F(LogitsTest, EpsProbe) {
  check_all_chunks("eps_probe");
}
TEST_F(LogitsTest, PrenormDefaults) {
  check_all_chunks("prenorm_defaults");
}
TEST_F(LogitsTest, SharedMoeBf16) {
  check_all_chunks("shared_moe_bf16");
}

TEST_F(LogitsTest, BadInputsAreRefused) {
  const std::string model =
      (fs::path(LEVIN_SOURCE_DIR) / "tests/golden/minimax_m1/eps_probe").string();
  const fs::path input = root_ / "input.json";
  const auto refuse = [&](const std::string& text, const std::string& part) {
    write_text(input, text);
    const test::ProgramRun run = levin({"debug", "logits", "--model", model, "--input",
                                        input.string(), "--out", (root_ / "out").string()});
    EXPECT_EQ(run.exit_code, 2) << text << run.err;
    EXPECT_TRUE(has(run.err, part)) << run.err;
    EXPECT_FALSE(fs::exists(root_ / "out"));
  };
  refuse("not json", "JSON");
  refuse("{}", "runs");
  refuse(R"({"runs": [{"name": "a", "prefill": [1, 99999], "decode": []}]})", "99999");
  refuse(R"({"runs": [{"name": "a", "prefill": ["x"], "decode": []}]})", "prefill");
}

}  // namespace
}  // namespace levin::cli
