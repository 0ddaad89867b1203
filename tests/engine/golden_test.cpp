// The engine against outputs of the published model code (tests/golden/minimax_m1): all runs, whole
// and cut into chunks. Tolerances are those of the fixtures' README: logits 1e-4 absolute, states,
// caches and trace tensors 1e-5 of the expected maximum, expert choice equal.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file_io.h"
#include "engine/safetensors.h"
#include "engine/session.h"

namespace levin::engine {
namespace {

const std::string kGoldens = std::string(LEVIN_SOURCE_DIR) + "/tests/golden/";

struct Tensor {
  std::vector<float> values;
  std::vector<int64_t> shape;
};

std::vector<float> as_floats(const TensorInfo& info) {
  std::vector<float> values(static_cast<size_t>(info.num_elements()));
  if (info.dtype == "I32") {
    std::vector<int32_t> ids(values.size());
    std::memcpy(ids.data(), info.data.data(), ids.size() * 4);
    for (size_t i = 0; i < ids.size(); ++i) values[i] = static_cast<float>(ids[i]);
  } else {
    std::memcpy(values.data(), info.data.data(), values.size() * 4);
  }
  return values;
}

struct Difference {
  double absolute = 0;
  double relative = 0;  // To the largest magnitude expected.
};

Difference compare(const std::vector<float>& got, const std::vector<float>& expected) {
  Difference d;
  EXPECT_EQ(got.size(), expected.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    if (!std::isfinite(got[i])) return {1e30, 1e30};
    d.absolute = std::max(d.absolute, std::abs(double{got[i]} - expected[i]));
    largest = std::max(largest, std::abs(double{expected[i]}));
  }
  d.relative = largest > 0 ? d.absolute / largest : d.absolute;
  return d;
}

struct Param {
  std::string golden;
  int64_t chunk;
  kernels::CpuIsa isa;
  int threads;
};

class GoldenTest : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override {
    folder_ = kGoldens + "minimax_m1/" + GetParam().golden;
    auto device = kernels::make_cpu_device({GetParam().threads, GetParam().isa});
    if (!device) GTEST_SKIP() << device.error().message();
    device_ = std::move(*device);
    auto model = load_model(folder_);
    ASSERT_TRUE(model) << model.error().message();
    model_ = std::move(*model);
    auto expected = SafeTensors::open_file(folder_ + "/expected.safetensors");
    ASSERT_TRUE(expected) << expected.error().message();
    expected_ = std::move(*expected);
    auto text = read_file(folder_ + "/input.json");
    ASSERT_TRUE(text);
    input_ = nlohmann::json::parse(*text);
  }

  void expect_logits(const std::string& name, const std::vector<float>& got) {
    const TensorInfo* info = expected_.find(name);
    ASSERT_NE(info, nullptr) << name;
    const Difference d = compare(got, as_floats(*info));
    EXPECT_LE(d.absolute, 1e-4) << name;
    worst_logit_ = std::max(worst_logit_, d.absolute);
  }

  void expect_states(const std::string& prefix, const Session& session) {
    for (size_t layer = 0; layer < model_->weights.layers.size(); ++layer) {
      const std::string name = prefix + ".layer" + std::to_string(layer);
      const TensorInfo* info = expected_.find(name);
      if (model_->weights.layers[layer].kind != AttentionKind::kLightning) continue;
      ASSERT_NE(info, nullptr) << name;
      const Difference d = compare(session.state().linear_state(*model_, layer), as_floats(*info));
      EXPECT_LE(d.relative, 1e-5) << name;
      worst_state_ = std::max(worst_state_, d.relative);
    }
  }

  // Keys or values of one position, [num_kv_heads, head_dim].
  static void append_row(const KvCache& cache, char which, int64_t position,
                         std::vector<float>* out) {
    const kernels::KvLayout& layout = cache.layout();
    const int64_t place = position % KvCache::kPageTokens;
    const auto* page = static_cast<const float*>(cache.pages()[position / KvCache::kPageTokens]);
    for (int64_t head = 0; head < layout.num_kv_heads; ++head) {
      for (int64_t c = 0; c < layout.head_dim; ++c) {
        out->push_back(page[which == 'k' ? layout.key_at(head, place, c)
                                         : layout.value_at(head, place, c)]);
      }
    }
  }

  void expect_caches(const std::string& run, const std::string& phase, const Session& session) {
    for (size_t layer = 0; layer < model_->weights.layers.size(); ++layer) {
      for (const char* which : {"k", "v"}) {
        const std::string name =
            run + "." + which + "_cache_" + phase + ".layer" + std::to_string(layer);
        const TensorInfo* info = expected_.find(name);
        if (info == nullptr) continue;
        std::vector<float> got;
        for (int64_t position = 0; position < session.num_computed(); ++position) {
          append_row(session.state().kv[layer], which[0], position, &got);
        }
        EXPECT_LE(compare(got, as_floats(*info)).relative, 1e-5) << name;
        ++caches_checked_;
      }
    }
  }

  void expect_trace(const std::string& run,
                    const std::map<std::string, std::vector<float>>& trace) {
    for (const auto& [name, info] : expected_.tensors()) {
      const std::string prefix = run + ".trace.";
      if (name.compare(0, prefix.size(), prefix) != 0) continue;
      const auto got = trace.find(name.substr(prefix.size()));
      ASSERT_NE(got, trace.end()) << name << " was never emitted";
      const Difference d = compare(got->second, as_floats(info));
      const bool is_choice = name.find("topk_ids") != std::string::npos;
      EXPECT_LE(d.relative, is_choice ? 0 : 1e-5) << name;
    }
  }

  void run(const nlohmann::json& run);

  std::string folder_;
  std::unique_ptr<kernels::Device> device_;
  std::unique_ptr<Model> model_;
  SafeTensors expected_;
  nlohmann::json input_;
  double worst_logit_ = 0;
  double worst_state_ = 0;
  int caches_checked_ = 0;
};

void GoldenTest::run(const nlohmann::json& run) {
  const std::string name = run.at("name");
  SessionOptions options;
  options.prefill_chunk_tokens = GetParam().chunk;
  auto session = Session::open(*model_, *device_, options);
  ASSERT_TRUE(session) << session.error().message();
  std::map<std::string, std::vector<float>> trace;
  bool tracing = run.at("trace");
  session->set_trace([&](std::string_view what, int64_t layer, const float* values, int64_t rows,
                         int64_t width) {
    if (!tracing) return;
    const std::string key = std::string(what) + (layer < 0 ? "" : ".layer" + std::to_string(layer));
    trace[key].insert(trace[key].end(), values, values + rows * width);
  });
  const std::vector<TokenId> prompt = run.at("prefill");
  ASSERT_TRUE(session->append(prompt));
  std::vector<float> prefill_logits;
  ASSERT_TRUE(session->all_logits(&prefill_logits));
  tracing = false;
  expect_logits(name + ".prefill_logits", prefill_logits);
  expect_states(name + ".state_prefill", *session);
  expect_caches(name, "prefill", *session);
  expect_trace(name, trace);
  std::vector<float> decode_logits;
  for (const TokenId id : run.at("decode").get<std::vector<TokenId>>()) {
    ASSERT_TRUE(session->append(std::span<const TokenId>(&id, 1)));
    ASSERT_TRUE(session->all_logits(&decode_logits));
  }
  expect_logits(name + ".decode_logits", decode_logits);
  expect_states(name + ".state_decode", *session);
  expect_caches(name, "decode", *session);
}

TEST_P(GoldenTest, MatchesThePublishedModel) {
  ASSERT_FALSE(input_.at("runs").empty());
  for (const nlohmann::json& one : input_.at("runs")) run(one);
  RecordProperty("worst_logit", std::to_string(worst_logit_));
  std::printf("%s chunk %ld %s x%d: logits %.2e, states %.2e, caches %d\n",
              GetParam().golden.c_str(), GetParam().chunk, kernels::cpu_isa_name(GetParam().isa),
              GetParam().threads, worst_logit_, worst_state_, caches_checked_);
}

std::vector<Param> params() {
  std::vector<Param> all;
  const kernels::CpuIsa best = kernels::best_cpu_isa();
  for (const char* golden :
       {"base_7to1", "alt_0101", "shared_moe_bf16", "prenorm_defaults", "eps_probe"}) {
    for (const int64_t chunk : {1, 7, 64, 256, 300, 1024}) all.push_back({golden, chunk, best, 1});
    all.push_back({golden, 1024, best, 3});
    all.push_back({golden, 1024, kernels::CpuIsa::kReference, 1});
    for (const kernels::CpuIsa isa : {kernels::CpuIsa::kBaseline, kernels::CpuIsa::kAvx2}) {
      if (isa != best) all.push_back({golden, 64, isa, 1});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTest, testing::ValuesIn(params()), [](const auto& one) {
  return one.param.golden + "_chunk" + std::to_string(one.param.chunk) + "_" +
         kernels::cpu_isa_name(one.param.isa) + "_threads" + std::to_string(one.param.threads);
});

// The embedded model: logits at chosen positions of three transcripts.
TEST(EmbeddedModelGolden, LogitsOfThreeTranscripts) {
  auto device = kernels::make_cpu_device({1});
  ASSERT_TRUE(device);
  auto model = load_model(std::string(LEVIN_SOURCE_DIR) + "/engine/models/levin-tiny");
  ASSERT_TRUE(model) << model.error().message();
  auto expected = SafeTensors::open_file(kGoldens + "levin-tiny/expected.safetensors");
  ASSERT_TRUE(expected);
  auto text = read_file(kGoldens + "levin-tiny/input.json");
  ASSERT_TRUE(text);
  const auto input = nlohmann::json::parse(*text);
  for (const auto& one : input.at("cases")) {
    const std::string name = one.at("name");
    auto session = Session::open(**model, **device, {});
    ASSERT_TRUE(session);
    ASSERT_TRUE(session->append(one.at("ids").get<std::vector<TokenId>>()));
    std::vector<float> all;
    ASSERT_TRUE(session->all_logits(&all));
    const auto positions = one.at("positions").get<std::vector<size_t>>();
    std::vector<float> got;
    const size_t vocab = static_cast<size_t>((*model)->config.vocab_size);
    for (const size_t position : positions) {
      got.insert(got.end(), all.begin() + static_cast<std::ptrdiff_t>(position * vocab),
                 all.begin() + static_cast<std::ptrdiff_t>((position + 1) * vocab));
    }
    const TensorInfo* info = expected->find(name + ".logits");
    ASSERT_NE(info, nullptr) << name;
    const Difference d = compare(got, as_floats(*info));
    std::printf("%s: logits %.2e of a largest magnitude %.1f\n", name.c_str(), d.absolute,
                d.absolute / d.relative);
    // Float32 sums in another order over weights of logits up to 46; the fixture itself is off by
    // 4e-5.
    EXPECT_LE(d.absolute, 5e-4) << name;
  }
}

}  // namespace
}  // namespace levin::engine
