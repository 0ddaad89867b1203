// load_model: shards, mixed dtypes, and checkpoints that do not fit their config.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/file_io.h"
#include "engine/model.h"
#include "engine/session.h"
#include "engine/weight_packer.h"
#include "kernels/tiles.h"
#include "tests/base/temporary_folder.h"
#include "tests/engine/raw_safetensors.h"

namespace levin::engine {
namespace {

const std::string kFinalNorm = "model.norm.weight";
const std::string kQuery = "model.layers.1.self_attn.q_proj.weight";
const std::string kGolden = "prenorm_defaults";

std::vector<float> logits_of_folder(const std::string& folder) {
  const Result<std::unique_ptr<Model>> model = load_model(folder);
  EXPECT_TRUE(model) << model.error().message();
  const Result<std::unique_ptr<kernels::Device>> device = kernels::make_cpu_device({1});
  EXPECT_TRUE(device);
  std::vector<float> all;
  if (!model || !device) return all;
  Result<Session> session = Session::open(**model, **device, {});
  EXPECT_TRUE(session);
  std::vector<TokenId> tokens;
  for (TokenId id = 0; id < 70; ++id) tokens.push_back(id * 37 % 320);
  EXPECT_TRUE(session->append(tokens));
  EXPECT_TRUE(session->all_logits(&all));
  return all;
}

class LoadModelTest : public testing::Test {
 protected:
  void SetUp() override { tensors_ = read_raw(kGoldenModels + kGolden + "/model.safetensors"); }

  std::string failure(ErrorCode code) {
    const Result<std::unique_ptr<Model>> model = load_model(folder_.path());
    EXPECT_FALSE(model);
    if (model) return "";
    EXPECT_EQ(model.error().code(), code) << model.error().message();
    return model.error().message();
  }

  // The checkpoint as it is now must be refused with a message that has all `words`.
  void expect_failure(ErrorCode code, const std::vector<std::string>& words) {
    write_model(folder_.path(), kGolden, tensors_, 0);
    const std::string message = failure(code);
    for (const std::string& word : words) {
      EXPECT_NE(message.find(word), std::string::npos) << message << "\nshould say: " << word;
    }
  }

  TemporaryFolder folder_;
  RawTensors tensors_;
};

TEST_F(LoadModelTest, ThreeShardsGiveTheSameLogitsAsOneFile) {
  for (const std::string golden : {"prenorm_defaults", "shared_moe_bf16"}) {
    const TemporaryFolder sharded;
    write_model(sharded.path(), golden, read_raw(kGoldenModels + golden + "/model.safetensors"), 3);
    const Result<SafeTensors> files = SafeTensors::open_folder(sharded.path());
    ASSERT_TRUE(files) << files.error().message();
    EXPECT_EQ(files->num_files(), 3u);
    const std::vector<float> expected = logits_of_folder(kGoldenModels + golden);
    ASSERT_EQ(expected.size(), size_t{70 * 320});
    EXPECT_EQ(logits_of_folder(sharded.path()), expected) << golden;
  }
}

// Every other tensor is F32 with the same numbers; sums of the two types are ordered alike, but the
// compiler may fuse them differently: a few roundings of logits around 10.
TEST_F(LoadModelTest, ShardsOfMixedTypes) {
  const std::string golden = "shared_moe_bf16";
  RawTensors mixed = read_raw(kGoldenModels + golden + "/model.safetensors");
  size_t index = 0;
  for (auto& [name, tensor] : mixed) {
    if (index++ % 2 == 0) tensor = widened(tensor);
  }
  write_model(folder_.path(), golden, mixed, 3);
  const std::vector<float> expected = logits_of_folder(kGoldenModels + golden);
  const std::vector<float> got = logits_of_folder(folder_.path());
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-5) << i;
}

TEST_F(LoadModelTest, EveryMissingTensorIsNamed) {
  const RawTensors whole = tensors_;
  ASSERT_EQ(whole.size(), 60u);
  for (const auto& [name, tensor] : whole) {
    tensors_ = whole;
    tensors_.erase(name);
    expect_failure(ErrorCode::kCorrupt, {folder_.path(), "'" + name + "' is missing"});
  }
}

TEST_F(LoadModelTest, WrongShapesAreNamedWithBothShapes) {
  const RawTensors whole = tensors_;
  tensors_[kQuery].shape = {32, 128};
  expect_failure(ErrorCode::kCorrupt, {kQuery, "[32, 128]", "[64, 64]"});
  tensors_ = whole;
  tensors_[kQuery].shape = {4096};
  expect_failure(ErrorCode::kCorrupt, {kQuery, "[4096]", "[64, 64]"});
  tensors_ = whole;
  tensors_[kFinalNorm].shape = {1, 64};
  expect_failure(ErrorCode::kCorrupt, {kFinalNorm, "[1, 64]", "[64]"});
}

TEST_F(LoadModelTest, WrongTypesAreUnsupported) {
  tensors_[kQuery].dtype = "I32";
  expect_failure(ErrorCode::kUnsupported, {kQuery, "I32", "F32, F16 or BF16"});
}

TEST_F(LoadModelTest, NormsAreWidenedFromEachType) {
  const uint16_t half[] = {0x3C00, 0xC000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF, 0x0400, 0x3555};
  const uint16_t bf16[] = {0x3F80, 0xC000, 0x0001, 0x8080, 0x7F7F, 0xFF7F, 0x0080, 0x3EAB};
  const float half_values[] = {1,     -2,     0x1p-24f, -1023 * 0x1p-24f,
                               65504, -65504, 0x1p-14f, 0.333251953125f};
  const float bf16_values[] = {1,           -2,           0x1p-133f, -0x1p-126f,
                               0x1.FEp127f, -0x1.FEp127f, 0x1p-126f, 0.333984375f};
  for (const bool is_half : {true, false}) {
    std::string bytes(128, '\0');
    std::memcpy(bytes.data(), is_half ? half : bf16, 16);
    tensors_[kFinalNorm] = {is_half ? "F16" : "BF16", {64}, bytes};
    write_model(folder_.path(), kGolden, tensors_, 0);
    const Result<std::unique_ptr<Model>> model = load_model(folder_.path());
    ASSERT_TRUE(model) << model.error().message();
    for (size_t i = 0; i < 8; ++i) {
      const float expected = is_half ? half_values[i] : bf16_values[i];
      const float got = (*model)->weights.final_norm[i];
      EXPECT_EQ(got, expected) << is_half << i;
    }
  }
}

// In any tensor, of any type, in either precision: named before a token is computed.
TEST_F(LoadModelTest, NumbersThatAreNoneAreNamed) {
  const RawTensors whole = tensors_;
  const struct {
    const char* dtype;
    std::vector<uint32_t> bits;
  } types[] = {{"F32", {0x7F800000, 0xFF800000, 0x7FC00000}},
               {"F16", {0x7C00, 0xFC00, 0x7E01}},
               {"BF16", {0x7F80, 0xFF80, 0x7FC1}}};
  for (const std::string& name :
       {std::string("model.embed_tokens.weight"), std::string("lm_head.weight"), kQuery, kFinalNorm,
        std::string("model.layers.0.block_sparse_moe.experts.1.w2.weight"),
        std::string("model.layers.1.block_sparse_moe.gate.weight")}) {
    for (const auto& type : types) {
      const size_t size = type.dtype == std::string("F32") ? 4 : 2;
      for (size_t i = 0; i < type.bits.size(); ++i) {
        tensors_ = whole;
        RawTensor& one = tensors_[name];
        int64_t count = 1;
        for (const int64_t dim : one.shape) count *= dim;
        one.dtype = type.dtype;
        one.bytes.assign(static_cast<size_t>(count) * size, '\0');
        const auto at = static_cast<size_t>(i == 0 ? 0 : i == 1 ? count / 2 + 1 : count - 1);
        std::memcpy(one.bytes.data() + at * size, &type.bits[i], size);
        write_model(folder_.path(), kGolden, tensors_, 0);
        for (const Precision precision : {Precision::kExact, Precision::kNative}) {
          LoadOptions load;
          load.precision = precision;
          const auto model = load_model(folder_.path(), load);
          ASSERT_FALSE(model) << name << type.dtype << i;
          EXPECT_EQ(model.error().code(), ErrorCode::kCorrupt);
          EXPECT_NE(model.error().message().find("tensor '" + name + "': "), std::string::npos)
              << model.error().message();
          EXPECT_NE(model.error().message().find("is not a finite number"), std::string::npos);
        }
      }
    }
  }
}

TEST_F(LoadModelTest, ABadWeightIsToldByItsPlace) {
  const float bad = NAN;
  std::memcpy(tensors_["lm_head.weight"].bytes.data() + (5 * 64 + 7) * 4, &bad, sizeof bad);
  write_model(folder_.path(), kGolden, tensors_, 0);
  const std::string message = failure(ErrorCode::kCorrupt);
  EXPECT_NE(message.find("'lm_head.weight': the weight in row 5, column 7"), std::string::npos)
      << message;
}

TEST_F(LoadModelTest, TiedEmbeddingsNeedNoHead) {
  tensors_.erase("lm_head.weight");
  write_model(folder_.path(), kGolden, tensors_, 0);
  Result<std::string> config = read_file(folder_.file("config.json"));
  ASSERT_TRUE(config);
  nlohmann::json object = nlohmann::json::parse(*config);
  object["tie_word_embeddings"] = true;
  write_plain(folder_.file("config.json"), object.dump());
  const Result<std::unique_ptr<Model>> model = load_model(folder_.path());
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ((*model)->weights.lm_head.data, (*model)->weights.embedding.data);
}

TEST_F(LoadModelTest, FoldersThatAreNoModel) {
  failure(ErrorCode::kNotFound);
  write_raw(folder_.file("model.safetensors"), tensors_);
  EXPECT_NE(failure(ErrorCode::kNotFound).find("config.json"), std::string::npos);
  const Result<std::unique_ptr<Model>> file = load_model(folder_.file("model.safetensors"));
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message().find("Not a directory"), std::string::npos)
      << file.error().message();
  EXPECT_FALSE(load_model(folder_.file("absent")));
  EXPECT_FALSE(load_model(""));
}

// 268 million experts, none of them in the file: refused at the first, before memory is spent on
// them.
TEST_F(LoadModelTest, AConfigOfImpossibleSizeIsRefusedAtOnce) {
  const nlohmann::json config = {
      {"num_hidden_layers", 4096},  {"attn_type_list", std::vector<int>(4096, 0)},
      {"num_local_experts", 65536}, {"num_attention_heads", 1 << 24},
      {"num_key_value_heads", 1},   {"head_dim", 2},
      {"hidden_size", 64},          {"vocab_size", 320}};
  write_plain(folder_.file("config.json"), config.dump());
  write_raw(folder_.file("model.safetensors"), tensors_);
  EXPECT_NE(failure(ErrorCode::kCorrupt).find("qkv_proj"), std::string::npos);
}

// A norm is a vector: bytes that claim to be tiles would be read beyond their end.
TEST_F(LoadModelTest, AVectorIsNeverInTiles) {
  for (const std::string& name :
       {kFinalNorm, std::string("model.layers.0.self_attn.norm.weight")}) {
    RawTensors changed = tensors_;
    RawTensor& norm = changed[name];
    norm.dtype = "U8";
    norm.bytes = std::string(static_cast<size_t>(norm.shape[0]), '\1');
    write_model(folder_.path(), kGolden, changed, 0);
    add_metadata(folder_.file("model.safetensors"), {{kTileKeyPrefix + name, "q8 1 32"}});
    const std::string message = failure(ErrorCode::kUnsupported);
    EXPECT_NE(message.find("'" + name + "' is U8, expected F32"), std::string::npos) << message;
  }
}

// Tiles are bytes: numbers of another type and of the right shape are not taken for them.
TEST_F(LoadModelTest, TilesAreBytes) {
  const std::string name = "model.layers.0.block_sparse_moe.experts.0.w1.weight";
  const RawTensor matrix = tensors_[name];
  const int64_t rows = matrix.shape[0];
  const int64_t cols = matrix.shape[1];
  const auto panel = static_cast<int64_t>(kernels::panel_bytes(kernels::DType::kTileQ8, cols));
  tensors_[name] = {"F32",
                    {kernels::num_panels(rows), panel},
                    std::string(static_cast<size_t>(4 * kernels::num_panels(rows) * panel), '\0')};
  write_model(folder_.path(), kGolden, tensors_, 0);
  add_metadata(
      folder_.file("model.safetensors"),
      {{kTileKeyPrefix + name, "q8 " + std::to_string(rows) + " " + std::to_string(cols)}});
  const std::string message = failure(ErrorCode::kUnsupported);
  EXPECT_NE(message.find("'" + name + "' is F32, expected U8"), std::string::npos) << message;
}

TEST_F(LoadModelTest, LogitsThatAreNotNumbersEndTheReply) {
  // Finite weights, but their sum is not.
  const std::vector<float> large(64, std::numeric_limits<float>::max());
  std::string& head = tensors_["lm_head.weight"].bytes;
  std::memcpy(head.data() + 17 * 64 * 4, large.data(), 64 * 4);
  std::string& norm = tensors_[kFinalNorm].bytes;
  std::memcpy(norm.data(), large.data(), 64 * 4);
  write_model(folder_.path(), kGolden, tensors_, 0);
  const Result<std::unique_ptr<Model>> model = load_model(folder_.path());
  ASSERT_TRUE(model) << model.error().message();
  const auto device = kernels::make_cpu_device({1});
  ASSERT_TRUE(device);
  for (const Speculation speculation : {Speculation::kOff, Speculation::kAlways}) {
    SessionOptions options;
    options.speculation = speculation;
    Result<Session> session = Session::open(**model, **device, options);
    ASSERT_TRUE(session);
    ASSERT_TRUE(session->append(std::vector<TokenId>{1, 2, 3, 4, 1, 2, 3}));
    const Result<TokenId> token = session->sample({});
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code(), ErrorCode::kCorrupt);
    EXPECT_NE(token.error().message().find("not all finite"), std::string::npos);
    EXPECT_EQ(session->token_log().size(), 7u);
  }
}

}  // namespace
}  // namespace levin::engine
