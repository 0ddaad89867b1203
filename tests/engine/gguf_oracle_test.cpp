// Logits against llama.cpp's for the same GGUF file (tests/golden/gguf): here the file's weights
// are widened to float32 and nothing else is rounded, there also activations are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>

#include "engine/model.h"
#include "engine/session.h"
#include "tests/base/temporary_folder.h"
#include "tests/engine/gguf_oracle_files.h"
#include "tests/engine/raw_safetensors.h"

namespace levin::engine {
namespace {

nlohmann::json oracle() {
  std::ifstream file(std::string(LEVIN_SOURCE_DIR) + "/tests/golden/gguf/logits.json");
  return nlohmann::json::parse(file);
}

// Of the largest logit.
double tolerance(const std::string& name) {
  if (name.ends_with("-F32") || name.ends_with("-F16")) return 2e-3;
  // llama.cpp rounds activations to bf16 as well, here through eight layers.
  if (name == "base_7to1-BF16") return 7e-3;
  return name.ends_with("-BF16") ? 5e-3 : 2.5e-2;
}

class GgufOracleTest : public ::testing::TestWithParam<std::string> {};

TEST_P(GgufOracleTest, LogitsAreLlamasLogits) {
  const nlohmann::json golden = oracle();
  const TemporaryFolder folder;
  write_plain(folder.file("model.gguf"), oracle_file(GetParam()).bytes());
  const Result<std::unique_ptr<Model>> model = load_model(folder.file("model.gguf"));
  ASSERT_TRUE(model) << model.error().message();
  const auto device = kernels::make_cpu_device({1});
  ASSERT_TRUE(device);
  Result<Session> session = Session::open(**model, **device, {});
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->append(golden.at("tokens").get<std::vector<TokenId>>()));
  std::vector<float> found;
  ASSERT_TRUE(session->all_logits(&found));
  const auto rows = golden.at("logits").at(GetParam()).get<std::vector<std::vector<double>>>();
  ASSERT_EQ(found.size(), rows.size() * 320);
  double largest = 0;
  double worst = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t id = 0; id < 320; ++id) {
      largest = std::max(largest, std::fabs(rows[row][id]));
      worst = std::max(worst, std::fabs(rows[row][id] - double{found[row * 320 + id]}));
    }
  }
  std::cout << GetParam() << ": " << worst / largest << " of the largest logit, " << largest
            << "\n";
  EXPECT_GT(largest, 1);
  EXPECT_LE(worst, tolerance(GetParam()) * largest);
  // The best token is the same wherever llama.cpp's two best are further apart than twice that.
  for (size_t row = 0; row < rows.size(); ++row) {
    std::vector<double> sorted = rows[row];
    std::sort(sorted.rbegin(), sorted.rend());
    if (sorted[0] - sorted[1] <= 2 * worst) continue;
    const auto best = std::max_element(rows[row].begin(), rows[row].end()) - rows[row].begin();
    const auto begin = found.begin() + static_cast<long>(row * 320);
    EXPECT_EQ(std::max_element(begin, begin + 320) - begin, best) << "row " << row;
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgufOracleTest, ::testing::ValuesIn(oracle_names()),
                         [](const auto& one) {
                           std::string name = one.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace levin::engine
