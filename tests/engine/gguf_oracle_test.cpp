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

using Rows = std::vector<std::vector<double>>;

double largest_of(const Rows& rows) {
  double largest = 0;
  for (const std::vector<double>& row : rows) {
    for (const double value : row) largest = std::max(largest, std::fabs(value));
  }
  return largest;
}

double distance(const Rows& a, const Rows& b) {
  double worst = 0;
  for (size_t row = 0; row < a.size(); ++row) {
    for (size_t id = 0; id < a[row].size(); ++id) {
      worst = std::max(worst, std::fabs(a[row][id] - b[row][id]));
    }
  }
  return worst;
}

bool is_bf16(const std::string& name) {
  return name.ends_with("-BF16");
}

// Of the largest logit. For bf16 the truth is llama.cpp's answer for the same weights in float32,
// where it rounds no activations: its answer for the bf16 file is up to 6.2e-3 from that.
double tolerance(const std::string& name) {
  const bool is_plain = name.ends_with("-F32") || name.ends_with("-F16") || is_bf16(name);
  return is_plain ? 2e-3 : 2.5e-2;
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
  const auto rows_of = [&](const std::string& name) {
    return golden.at("logits").at(name).get<Rows>();
  };
  const Rows rows = rows_of(is_bf16(GetParam()) ? GetParam() + "_widened" : GetParam());
  ASSERT_EQ(found.size(), rows.size() * 320);
  Rows ours;
  for (size_t row = 0; row < rows.size(); ++row) {
    ours.emplace_back(found.begin() + static_cast<long>(row * 320),
                      found.begin() + static_cast<long>(row * 320 + 320));
  }
  const double largest = largest_of(rows);
  const double worst = distance(rows, ours);
  std::cout << GetParam() << ": " << worst / largest << " of the largest logit, " << largest
            << "\n";
  EXPECT_GT(largest, 1);
  EXPECT_LE(worst, tolerance(GetParam()) * largest);
  if (is_bf16(GetParam())) {  // As near to its other answer as it is itself, less what F32 differs.
    const Rows rounded = rows_of(GetParam());
    std::cout << "from the rounded answer: " << distance(rounded, ours) / largest
              << ", llama.cpp itself: " << distance(rounded, rows) / largest << "\n";
    EXPECT_LE(distance(rounded, ours), distance(rounded, rows) + 5e-4 * largest);
  }
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
