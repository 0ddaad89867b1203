// Quantised tiles: blocks repacked, weights encoded, and whole folders written and read back.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>

#include "base/file_io.h"
#include "engine/model.h"
#include "engine/quantise_model.h"
#include "engine/safetensors.h"
#include "engine/session.h"
#include "engine/tokenizer.h"
#include "kernels/repack.h"
#include "kernels/tile_encoding.h"
#include "kernels/tile_packing.h"
#include "tests/base/temporary_folder.h"
#include "tests/engine/gguf_writer.h"
#include "tests/engine/raw_safetensors.h"

namespace levin::engine {
namespace {

using kernels::BlockType;
using kernels::DType;

constexpr BlockType kBlockTypes[] = {BlockType::kQ4_0, BlockType::kQ8_0, BlockType::kQ4_K,
                                     BlockType::kQ6_K};

// Blocks of random bytes, with scales that are ordinary numbers.
std::string random_blocks(BlockType type, int64_t count, std::mt19937_64& random) {
  const size_t size = kernels::block_bytes(type);
  std::string bytes(static_cast<size_t>(count) * size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  const auto put = [&](size_t at) {
    const float scale = static_cast<float>(random() % 1000 + 1) * 1e-4f;
    const uint16_t half = kernels::float_to_half(random() % 2 == 0 ? scale : -scale);
    std::memcpy(bytes.data() + at, &half, sizeof half);
  };
  for (size_t at = 0; at < bytes.size(); at += size) {
    if (type == BlockType::kQ6_K) {
      put(at + size - 2);
    } else {
      put(at);
      if (type == BlockType::kQ4_K) put(at + 2);
    }
  }
  return bytes;
}

TEST(RepackTest, TilesHoldTheNumbersOfTheBlocks) {
  std::mt19937_64 random(7);
  for (const BlockType type : kBlockTypes) {
    for (const int64_t rows : {1, 16, 19}) {
      const int64_t cols = 512;
      const int64_t count = rows * cols / kernels::block_weights(type);
      const std::string blocks = random_blocks(type, count, random);
      std::vector<float> expected(static_cast<size_t>(rows * cols));
      kernels::dequantise(type, blocks.data(), count, expected.data());
      const DType dtype = kernels::tile_type_of(type);
      std::vector<char> tiles(kernels::tiled_bytes(dtype, rows, cols), '\xEE');
      ASSERT_TRUE(kernels::repack_panels(type, blocks.data(), rows, cols, 0,
                                         kernels::num_panels(rows), tiles.data()));
      const kernels::MatrixView view{tiles.data(), dtype, rows, cols};
      // Q4_K: scale * 15 and minimum * 1 are up to 0.1 * 63 * 15 and 0.1 * 63, each off by 2^-11.
      const bool is_exact = type == BlockType::kQ4_0 || type == BlockType::kQ8_0;
      for (int64_t i = 0; i < rows * cols; ++i) {
        const float want = expected[static_cast<size_t>(i)];
        const float slack = is_exact                   ? 0
                            : type == BlockType::kQ4_K ? 0.1f
                                                       : std::fabs(want) * 5e-4f;
        ASSERT_NEAR(kernels::weight_at(view, i / cols, i % cols), want, slack) << i;
      }
      for (int64_t row = rows; row < kernels::num_panels(rows) * 16; ++row) {
        const kernels::MatrixView padded{tiles.data(), dtype, kernels::num_panels(rows) * 16, cols};
        for (int64_t c = 0; c < cols; ++c) ASSERT_EQ(kernels::weight_at(padded, row, c), 0);
      }
    }
  }
}

TEST(RepackTest, BadScalesAreSeen) {
  std::mt19937_64 random(8);
  for (const BlockType type : kBlockTypes) {
    const int64_t count = 512 / kernels::block_weights(type);
    std::string blocks = random_blocks(type, count, random);
    const size_t last = blocks.size() - kernels::block_bytes(type);
    const size_t at = type == BlockType::kQ6_K ? blocks.size() - 2 : last;
    blocks[at + 1] = 0x7C;
    EXPECT_EQ(kernels::find_bad_block(type, blocks.data(), count), count - 1);
    std::vector<char> tiles(kernels::tiled_bytes(kernels::tile_type_of(type), 1, 512));
    EXPECT_FALSE(kernels::repack_panels(type, blocks.data(), 1, 512, 0, 1, tiles.data()));
  }
}

TEST(TileEncodingTest, ErrorsAreThoseOfTheFormat) {
  std::mt19937_64 random(9);
  const int64_t rows = 13;
  const int64_t cols = 96;
  std::vector<float> weights(static_cast<size_t>(rows * cols));
  for (float& w : weights)
    w = static_cast<float>(static_cast<double>(random() % 2001) - 1000) * 1e-3f;
  std::fill_n(weights.begin() + 64, 32, 0.0f);  // A tile row of zeros.
  for (const DType dtype : {DType::kTileQ8, DType::kTileQ4, DType::kTileI8}) {
    std::vector<char> tiles(kernels::panel_bytes(dtype, cols));
    ASSERT_TRUE(kernels::encode_panel(dtype, weights.data(), rows, cols, tiles.data()));
    const kernels::MatrixView view{tiles.data(), dtype, rows, cols};
    // Half a step, and the rounding of the scale; q4's best scale may cut the largest weight off.
    const float bound = dtype == DType::kTileQ4 ? 1.0f / 7 : 0.5f / 127 + 5e-4f;
    for (int64_t i = 0; i < rows * cols; ++i) {
      ASSERT_NEAR(kernels::weight_at(view, i / cols, i % cols), weights[static_cast<size_t>(i)],
                  bound);
    }
    for (int64_t c = 64; c < 96; ++c) EXPECT_EQ(kernels::weight_at(view, 0, c), 0);
  }
  weights[5] = 3e38f;
  std::vector<char> tiles(kernels::panel_bytes(DType::kTileQ8, cols));
  EXPECT_FALSE(kernels::encode_panel(DType::kTileQ8, weights.data(), rows, cols, tiles.data()));
}

// The scale of these is so small that float32 has no reciprocal of it.
TEST(TileEncodingTest, WeightsNearZeroStayThere) {
  std::vector<float> weights(64);
  for (size_t i = 0; i < 64; ++i) weights[i] = i % 2 == 0 ? 1e-37f : -1e-39f;
  for (const DType dtype : {DType::kTileQ8, DType::kTileQ4, DType::kTileI8}) {
    std::vector<char> tiles(kernels::panel_bytes(dtype, 64));
    ASSERT_TRUE(kernels::encode_panel(dtype, weights.data(), 1, 64, tiles.data()));
    const kernels::MatrixView view{tiles.data(), dtype, 1, 64};
    for (int64_t c = 0; c < 64; ++c) {
      const float want = weights[static_cast<size_t>(c)];
      EXPECT_LE(std::fabs(kernels::weight_at(view, 0, c) - want), std::fabs(want)) << c;
    }
  }
}

TEST(TileEncodingTest, Q4KeepsWhatFitsExactly) {
  std::vector<float> weights(64);
  for (size_t i = 0; i < 64; ++i)
    weights[i] = 0.25f * static_cast<float>(static_cast<int>(i % 16) - 8);
  std::vector<char> tiles(kernels::panel_bytes(DType::kTileQ4, 64));
  ASSERT_TRUE(kernels::encode_panel(DType::kTileQ4, weights.data(), 1, 64, tiles.data()));
  const kernels::MatrixView view{tiles.data(), DType::kTileQ4, 1, 64};
  for (int64_t c = 0; c < 64; ++c)
    EXPECT_EQ(kernels::weight_at(view, 0, c), weights[static_cast<size_t>(c)]);
}

std::vector<float> logits_of(const std::string& path, Precision precision) {
  LoadOptions load;
  load.precision = precision;
  const Result<std::unique_ptr<Model>> model = load_model(path, load);
  EXPECT_TRUE(model) << model.error().message();
  const auto device = kernels::make_cpu_device({1});
  std::vector<float> all;
  if (!model || !device) return all;
  Result<Session> session = Session::open(**model, **device, {});
  EXPECT_TRUE(session);
  std::vector<TokenId> tokens;
  for (TokenId id = 0; id < 24; ++id) tokens.push_back(id * 37 % 320);
  EXPECT_TRUE(session->append(tokens));
  EXPECT_TRUE(session->all_logits(&all));
  return all;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    worst = std::max(worst, std::fabs(double{a[i]} - double{b[i]}));
  }
  return worst;
}

class QuantiseModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    device_ = *kernels::make_cpu_device({2});
    const PlainModel model = wide_model(2);
    std::filesystem::create_directory(source());
    RawTensors tensors;
    for (const auto& [name, one] : model.tensors) {
      tensors[name] = {"F32", one.first, encode_tensor("F32", one.second)};
    }
    write_raw(source() + "/model.safetensors", tensors);
    write_plain(source() + "/config.json", model.config.dump());
    write_plain(source() + "/levin.json", R"({"name": "wide", "precision": "exact"})");
  }
  std::string source() const { return folder_.file("source"); }
  std::string copy() const { return folder_.file("copy"); }

  Result<QuantiseReport> quantise(QuantType type, bool keep_lm_head = false) {
    std::filesystem::remove_all(copy());
    return quantise_model({source(), copy(), type, keep_lm_head, &device_->parallel()});
  }

  TemporaryFolder folder_;
  std::unique_ptr<kernels::Device> device_;
};

TEST_F(QuantiseModelTest, CopiesAreSmallerAndNearTheSource) {
  const std::vector<float> expected = logits_of(source(), Precision::kExact);
  const struct {
    QuantType type;
    int64_t num_quantised;
    double difference;
  } cases[] = {
      {QuantType::kQ8, 32, 0.2}, {QuantType::kQ4, 32, 3.0}, {QuantType::kExpertsInt8, 24, 0.2}};
  for (const auto& one : cases) {
    const Result<QuantiseReport> report = quantise(one.type);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->num_quantised, one.num_quantised);
    EXPECT_TRUE(report->no_tiles.empty());
    EXPECT_LT(report->bytes_after, report->bytes_before / 2);
    const std::vector<float> exact = logits_of(copy(), Precision::kExact);
    EXPECT_GT(largest_difference(exact, expected), 1e-4);
    EXPECT_LT(largest_difference(exact, expected), one.difference);
    EXPECT_LT(largest_difference(logits_of(copy(), Precision::kNative), exact), 0.3);
  }
  const Result<std::string> card = read_file(copy() + "/levin.json");
  ASSERT_TRUE(card);
  EXPECT_NE(card->find("\"native\""), std::string::npos);
}

TEST_F(QuantiseModelTest, LmHeadCanStay) {
  const Result<QuantiseReport> report = quantise(QuantType::kQ8, /*keep_lm_head=*/true);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->num_quantised, 31);
  const Result<SafeTensors> files = SafeTensors::open_folder(copy());
  ASSERT_TRUE(files) << files.error().message();
  EXPECT_EQ(files->find("lm_head.weight")->dtype, "F32");
  EXPECT_EQ(files->find("model.layers.0.block_sparse_moe.gate.weight")->dtype, "F32");
  EXPECT_EQ(files->find("model.layers.0.self_attn.qkv_proj.weight")->dtype, "U8");
  EXPECT_EQ(files->metadata().at("levin.tile:model.layers.0.self_attn.qkv_proj.weight"),
            "q8 768 256");
}

// Another program may write tiles for any matrix. Embedding and router are then widened: the ops
// that read them know rows only.
TEST_F(QuantiseModelTest, TilesOfEmbeddingAndRouterAreRead) {
  RawTensors tensors = read_raw(source() + "/model.safetensors");
  std::map<std::string, std::string> metadata;
  for (const std::string name :
       {"model.embed_tokens.weight", "model.layers.0.block_sparse_moe.gate.weight"}) {
    RawTensor& one = tensors[name];
    const int64_t rows = one.shape[0];
    const int64_t cols = one.shape[1];
    const int64_t panels = kernels::num_panels(rows);
    const size_t panel = kernels::panel_bytes(DType::kTileBF16, cols);
    std::string tiles(static_cast<size_t>(panels) * panel, '\0');
    kernels::pack_bf16_panels({one.bytes.data(), DType::kF32, rows, cols}, 0, panels, tiles.data());
    one = {"U8", {panels, static_cast<int64_t>(panel)}, tiles};
    metadata[kTileKeyPrefix + name] = "bf16 " + std::to_string(rows) + " " + std::to_string(cols);
  }
  const std::vector<float> expected = logits_of(source(), Precision::kExact);
  write_raw(source() + "/model.safetensors", tensors);
  add_metadata(source() + "/model.safetensors", metadata);
  for (const Precision precision : {Precision::kExact, Precision::kNative}) {
    EXPECT_LT(largest_difference(logits_of(source(), precision), expected), 0.3);
  }
}

TEST_F(QuantiseModelTest, WeightsThatAreNotNumbersAreNamed) {
  RawTensors tensors = read_raw(source() + "/model.safetensors");
  const std::string name = "model.layers.1.self_attn.k_proj.weight";
  const float bad = NAN;
  std::memcpy(tensors[name].bytes.data() + (3 * 256 + 17) * 4, &bad, sizeof bad);
  write_raw(source() + "/model.safetensors", tensors);
  const Result<QuantiseReport> report = quantise(QuantType::kQ4);
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message().find("'" + name + "': the weight in row 3, column 17"),
            std::string::npos)
      << report.error().message();
  EXPECT_TRUE(std::filesystem::is_empty(copy())) << "the same command may be given again";
}

TEST_F(QuantiseModelTest, FoldersThatCannotBe) {
  std::filesystem::create_directory(copy());
  write_plain(copy() + "/something", "x");
  QuantiseOptions options{source(), copy(), QuantType::kQ8, false, &device_->parallel()};
  Result<QuantiseReport> report = quantise_model(options);
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message().find("not empty"), std::string::npos);
  options.source = folder_.file("absent");
  EXPECT_FALSE(quantise_model(options));
  ASSERT_TRUE(quantise(QuantType::kQ8));
  options = {copy(), folder_.file("again"), QuantType::kQ8, false, &device_->parallel()};
  report = quantise_model(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(report.error().message().find("is U8, only F32, F16 and BF16"), std::string::npos)
      << report.error().message();
}

// A GGUF file is a source as a folder is: what its blocks stand for is rounded once more.
TEST_F(QuantiseModelTest, GgufFilesAreQuantised) {
  for (const std::string dtype : {"F32", "BF16", "Q8_0", "Q6_K"}) {
    GgufContent content = gguf_of(wide_model(2), dtype);
    std::ifstream tokenizer(std::string(LEVIN_SOURCE_DIR) +
                            "/tests/golden/tokenizer/tiny320_o200k/tokenizer.json");
    add_tokenizer(nlohmann::json::parse(tokenizer), "minimax-m2", 320, &content);
    const std::string path = folder_.file(dtype + ".gguf");
    write_plain(path, content.bytes());
    write_plain(folder_.file(dtype + ".levin.json"), R"({"name": "w", "precision": "exact"})");
    const std::vector<float> expected = logits_of(path, Precision::kExact);
    const QuantiseOptions options{path, folder_.file(dtype), QuantType::kQ8, true,
                                  &device_->parallel()};
    const Result<QuantiseReport> report = quantise_model(options);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->num_quantised, 31);
    EXPECT_LT(largest_difference(logits_of(options.destination, Precision::kExact), expected), 0.2);
    // Embedding and lm_head stay: the very same numbers.
    const Result<SafeTensors> files = SafeTensors::open_folder(options.destination);
    ASSERT_TRUE(files) << files.error().message();
    EXPECT_EQ(files->find("lm_head.weight")->dtype, dtype == "BF16" ? "BF16" : "F32");
    const auto original = load_model(path);
    const auto copy = load_model(options.destination);
    ASSERT_TRUE(original && copy);
    for (int64_t i = 0; i < 320 * 256; ++i) {
      ASSERT_EQ(kernels::weight_at((*copy)->weights.lm_head, i / 256, i % 256),
                kernels::weight_at((*original)->weights.lm_head, i / 256, i % 256));
    }
    EXPECT_TRUE(Tokenizer::load(options.destination + "/tokenizer.json"));
    const Result<std::string> card = read_file(options.destination + "/levin.json");
    ASSERT_TRUE(card);
    EXPECT_NE(card->find("\"native\""), std::string::npos);
  }
}

TEST_F(QuantiseModelTest, AScaleInTilesThatIsNoNumberIsNamed) {
  const std::string name = "model.layers.0.self_attn.out_proj.weight";
  const uint16_t infinite_half = 0xFC00;
  const float infinite = INFINITY;
  for (const QuantType type : {QuantType::kQ8, QuantType::kQ4, QuantType::kExpertsInt8}) {
    ASSERT_TRUE(quantise(type));
    const bool is_i8 = type == QuantType::kExpertsInt8;
    const std::string changed =
        is_i8 ? "model.layers.1.block_sparse_moe.experts.3.w2.weight" : name;
    Result<std::string> bytes = read_file(copy() + "/model.safetensors");
    ASSERT_TRUE(bytes);
    const Result<SafeTensors> files = SafeTensors::open_folder(copy());
    ASSERT_TRUE(files);
    // The first scale of the last panel.
    const TensorInfo* info = files->find(changed);
    const auto panel = static_cast<size_t>(info->shape[1]);
    const std::string tensor(reinterpret_cast<const char*>(info->data.data()), info->data.size());
    const size_t at = bytes->find(tensor) + tensor.size() - panel;
    if (is_i8) {
      std::memcpy(bytes->data() + at, &infinite, sizeof infinite);
    } else {
      std::memcpy(bytes->data() + at, &infinite_half, sizeof infinite_half);
    }
    write_plain(copy() + "/model.safetensors", *bytes);
    for (const Precision precision : {Precision::kExact, Precision::kNative}) {
      LoadOptions load;
      load.precision = precision;
      const auto model = load_model(copy(), load);
      ASSERT_FALSE(model);
      EXPECT_EQ(model.error().code(), ErrorCode::kCorrupt);
      EXPECT_NE(model.error().message().find("'" + changed + "': a scale is not a finite number"),
                std::string::npos)
          << model.error().message();
    }
  }
}

// Precision exact makes float32 copies of quantised weights: refused before the first one where
// there is no room for all.
TEST_F(QuantiseModelTest, CopiesThatMemoryDoesNotHoldAreRefusedWithBothSizes) {
  const std::string gguf = folder_.file("q4.gguf");
  write_plain(gguf, gguf_of(wide_model(2), "Q4_0").bytes());
  ASSERT_TRUE(quantise(QuantType::kQ4));
  for (const std::string& path : {gguf, copy()}) {
    LoadOptions load;
    load.widened_bytes_max = 6'000'000;
    const auto model = load_model(path, load);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code(), ErrorCode::kLimit);
    EXPECT_NE(model.error().message().find("0.01 GB are available"), std::string::npos)
        << model.error().message();
    EXPECT_NE(model.error().message().find("--precision native"), std::string::npos);
    load.widened_bytes_max = 50'000'000;
    EXPECT_TRUE(load_model(path, load));
    load.widened_bytes_max = 6'000'000;
    load.precision = Precision::kNative;
    EXPECT_TRUE(load_model(path, load)) << "tiles need no copies";
  }
}

// GGUF blocks are packed as tiles at load: the same weights, activations rounded.
TEST_F(QuantiseModelTest, NativeGgufIsNearTheExactOne) {
  for (const std::string dtype : {"Q4_0", "Q8_0", "Q4_K", "Q6_K"}) {
    const std::string path = folder_.file(dtype + ".gguf");
    write_plain(path, gguf_of(wide_model(2), dtype).bytes());
    const std::vector<float> exact = logits_of(path, Precision::kExact);
    const double worst = largest_difference(logits_of(path, Precision::kNative), exact);
    EXPECT_GT(worst, 0) << dtype;
    EXPECT_LT(worst, 0.3) << dtype;  // Logits reach 6.7.
  }
}

}  // namespace
}  // namespace levin::engine
