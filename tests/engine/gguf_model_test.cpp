// Models from GGUF files: the golden cases in every plain type, and files whose metadata and
// tensors do not fit.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/gguf_model.h"
#include "engine/model.h"
#include "engine/session.h"
#include "tests/base/temporary_folder.h"
#include "tests/engine/gguf_writer.h"
#include "tests/engine/raw_safetensors.h"

namespace levin::engine {
namespace {

std::vector<float> logits_of(const std::string& path) {
  std::vector<float> all;
  const Result<std::unique_ptr<Model>> model = load_model(path);
  const Result<std::unique_ptr<kernels::Device>> device = kernels::make_cpu_device({1});
  EXPECT_TRUE(model) << model.error().message();
  EXPECT_TRUE(device);
  if (!model || !device) return all;
  Result<Session> session = Session::open(**model, **device, {});
  EXPECT_TRUE(session);
  std::vector<TokenId> tokens;
  for (TokenId id = 0; id < 70; ++id) tokens.push_back(id * 37 % 320);
  EXPECT_TRUE(session->append(tokens));
  EXPECT_TRUE(session->all_logits(&all));
  return all;
}

// The same model with every matrix rounded to `dtype`, as a folder of safetensors.
void write_rounded(const std::string& folder, const std::string& golden, const std::string& dtype) {
  RawTensors tensors;
  for (const auto& [name, one] : golden_model(golden).tensors) {
    const bool is_plain =
        one.first.size() == 1 || name.find("block_sparse_moe.gate") != std::string::npos;
    const std::string type = is_plain ? "F32" : dtype;
    tensors[name] = {type, one.first, encode_tensor(type, one.second)};
  }
  write_model(folder, golden, tensors, 0);
}

class GgufModelTest : public testing::Test {
 protected:
  std::string path() const { return folder_.file("model.gguf"); }

  void expect_failure(const GgufContent& content, ErrorCode code,
                      const std::vector<std::string>& words) {
    write_plain(path(), content.bytes());
    const Result<std::unique_ptr<Model>> model = load_model(path());
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code(), code) << model.error().message();
    for (const std::string& word : words) {
      EXPECT_NE(model.error().message().find(word), std::string::npos)
          << model.error().message() << "\nshould say: " << word;
    }
  }

  TemporaryFolder folder_;
};

// The same weights give the same bits, whatever file they came from.
TEST_F(GgufModelTest, PlainTypesGiveTheLogitsOfTheFolder) {
  for (const std::string golden : {"base_7to1", "eps_probe"}) {
    for (const std::string dtype : {"F32", "F16", "BF16"}) {
      SCOPED_TRACE(golden + " " + dtype);
      write_plain(path(), gguf_of(golden_model(golden), dtype).bytes());
      const TemporaryFolder rounded;
      write_rounded(rounded.path(), golden, dtype);
      const std::vector<float> expected = logits_of(rounded.path());
      ASSERT_EQ(expected.size(), size_t{70 * 320});
      EXPECT_EQ(logits_of(path()), expected);
    }
  }
}

TEST_F(GgufModelTest, SplitFilesGiveTheSameLogits) {
  const GgufContent content = gguf_of(golden_model("eps_probe"), "F16");
  write_plain(path(), content.bytes());
  write_split(content, folder_.file("split"), 4);
  EXPECT_EQ(logits_of(folder_.file("split-00001-of-00004.gguf")), logits_of(path()));
}

TEST_F(GgufModelTest, QuantisedTypesGiveTheLogitsOfTheirWeights) {
  // Powers of two as scales and small whole numbers: each block type holds these exactly.
  PlainModel model = wide_model(5);
  for (auto& [name, one] : model.tensors) {
    if (one.first.size() == 1) continue;
    for (size_t i = 0; i < one.second.size(); ++i) {
      one.second[i] = std::round(std::clamp(one.second[i] * 64, -7.0f, 7.0f));
      if (i % 16 == 0) one.second[i] = 7;
      if (i % 16 == 1) one.second[i] = -7;
      one.second[i] /= 64;
    }
  }
  write_plain(path(), gguf_of(model, "F32").bytes());
  const std::vector<float> expected = logits_of(path());
  for (const std::string dtype : {"Q4_0", "Q8_0"}) {
    SCOPED_TRACE(dtype);
    write_plain(path(), gguf_of(model, dtype).bytes());
    const std::vector<float> found = logits_of(path());
    ASSERT_EQ(found.size(), expected.size());
    double worst = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      worst = std::max(worst, std::fabs(double{found[i]} - double{expected[i]}));
    }
    EXPECT_LT(worst, dtype == "Q4_0" ? 0.02 : 0.05);
  }
}

TEST_F(GgufModelTest, ConfigFollowsTheMetadata) {
  GgufContent content = gguf_of(golden_model("base_7to1"), "F32");
  content.erase("minimax-01.full_attention_interval");  // 8 is the default.
  content.set("tokenizer.ggml.eos_token_id", gguf_u32(12));
  write_plain(path(), content.bytes());
  const Result<std::unique_ptr<Model>> model = load_model(path());
  ASSERT_TRUE(model) << model.error().message();
  const Result<ModelConfig> expected = load_config(kGoldenModels + "base_7to1/config.json");
  const ModelConfig& config = (*model)->config;
  EXPECT_EQ(config.attention_kinds, expected->attention_kinds);
  EXPECT_EQ(config.rotary_dim, expected->rotary_dim);
  EXPECT_EQ(config.rms_norm_eps, expected->rms_norm_eps);
  EXPECT_EQ(config.linear_norm_eps, 1e-6f);
  EXPECT_EQ(config.mlp_scale.alpha, expected->mlp_scale.alpha);
  EXPECT_EQ(config.linear_scale.beta, 1.0f);
  EXPECT_EQ(config.eos_token_id, 12);
  EXPECT_TRUE(config.postnorm);
  EXPECT_FALSE(config.tie_word_embeddings);
}

TEST_F(GgufModelTest, LayersMayBeListed) {
  GgufContent content = gguf_of(golden_model("eps_probe"), "F32");
  write_plain(path(), content.bytes());
  const std::vector<float> expected = logits_of(path());
  content.erase("minimax-01.full_attention_interval");
  content.set("minimax-01.attention.recurrent_layers", gguf_bools({true, true, false}));
  content.set("minimax-01.attention.head_count_kv", gguf_i32s({0, 0, 2}));
  write_plain(path(), content.bytes());
  EXPECT_EQ(logits_of(path()), expected);
  content.set("minimax-01.attention.recurrent_layers", gguf_bools({true, false}));
  expect_failure(content, ErrorCode::kCorrupt,
                 {"recurrent_layers' is an array of 2 bools", "3 flags"});
}

TEST_F(GgufModelTest, APathThatCannotBeLookedAtIsAnError) {
  const std::string long_path = folder_.file(std::string(300, 'x') + ".gguf");
  EXPECT_TRUE(is_gguf_path(long_path));
  const Result<std::unique_ptr<Model>> model = load_model(long_path);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code(), ErrorCode::kIo) << model.error().message();
  std::filesystem::create_directory(folder_.file("folder.gguf"));
  EXPECT_FALSE(is_gguf_path(folder_.file("folder.gguf")));
}

TEST_F(GgufModelTest, OtherArchitecturesAreNamed) {
  GgufContent content = gguf_of(golden_model("eps_probe"), "F32");
  content.set("general.architecture", gguf_text("minimax-m2"));
  expect_failure(content, ErrorCode::kUnsupported, {path(), "'minimax-m2'", "'minimax-01'"});
  content.erase("general.architecture");
  expect_failure(content, ErrorCode::kUnsupported, {"general.architecture is missing"});
  content = gguf_of(golden_model("eps_probe"), "F32");
  content.set("minimax-01.rope.scaling.type", gguf_text("yarn"));
  content.set("minimax-01.rope.scaling.factor", gguf_f32(4));
  expect_failure(content, ErrorCode::kUnsupported, {"rope.scaling.type' is 'yarn'"});
}

TEST_F(GgufModelTest, MissingAndWrongKeysAreNamed) {
  const GgufContent whole = gguf_of(golden_model("eps_probe"), "F32");
  for (const char* key : {"block_count", "embedding_length", "attention.head_count",
                          "feed_forward_length", "expert_count", "expert_used_count",
                          "context_length", "residual_scale", "attention.layer_norm_rms_epsilon"}) {
    GgufContent content = whole;
    const std::string name = std::string("minimax-01.") + key;
    content.erase(name);
    expect_failure(content, ErrorCode::kCorrupt, {path(), "'" + name + "' is missing"});
    content.set(name, gguf_text("many"));
    expect_failure(content, ErrorCode::kCorrupt, {"'" + name + "' is 'many'"});
  }
  GgufContent content = whole;
  content.set("minimax-01.block_count", gguf_u32(1u << 31));
  expect_failure(content, ErrorCode::kCorrupt, {"block_count' is 2147483648"});
  content = whole;
  content.set("minimax-01.attention.head_count", gguf_u32(0));
  expect_failure(content, ErrorCode::kCorrupt, {"head_count' is 0"});
  content = whole;
  content.set("minimax-01.residual_scale", gguf_f32(NAN));
  expect_failure(content, ErrorCode::kCorrupt, {"residual_scale' is nan", "a finite float"});
}

TEST_F(GgufModelTest, TensorsThatDoNotFitAreNamed) {
  const GgufContent whole = gguf_of(golden_model("eps_probe"), "F32");
  for (const auto& [name, unused] : whole.tensors) {
    GgufContent content = whole;
    std::erase_if(content.tensors, [&](const auto& one) { return one.first == name; });
    if (name == "output.weight") continue;  // Then the embedding serves: tied.
    expect_failure(content, ErrorCode::kCorrupt, {"'" + name + "' is missing"});
  }
  GgufContent content = whole;
  content.tensor("blk.2.attn_k.weight").shape = {64, 32};
  expect_failure(content, ErrorCode::kCorrupt,
                 {"'blk.2.attn_k.weight' is [64, 32], the metadata imply [32, 64]"});
  content = whole;
  content.tensor("blk.0.exp_probs_b.bias") = {{4}, 0, std::string(16, '\0')};
  expect_failure(content, ErrorCode::kCorrupt, {"'blk.0.exp_probs_b.bias' [4] has no place"});
}

TEST_F(GgufModelTest, ScalesThatAreNotNumbers) {
  for (const std::string dtype : {"Q4_0", "Q8_0", "Q4_K", "Q6_K"}) {
    GgufContent content = gguf_of(wide_model(5), dtype);
    std::string& data = content.tensor("blk.0.attn_qkv.weight").data;
    const size_t size = static_cast<size_t>(tensor_type_size(dtype).block_bytes);
    const size_t scale = dtype == "Q6_K" ? size - 2 : 0;
    data[3 * size + scale + 1] = 0x7C;  // Infinity, or not a number.
    expect_failure(content, ErrorCode::kCorrupt,
                   {"self_attn.qkv_proj.weight", dtype + " block 3", "not a finite number"});
  }
}

}  // namespace
}  // namespace levin::engine
