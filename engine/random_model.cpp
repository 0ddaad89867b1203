#include "engine/random_model.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file_io.h"
#include "engine/byte_alphabet.h"
#include "engine/config.h"
#include "engine/safetensors_stream.h"
#include "engine/weight_packer.h"
#include "kernels/quant_blocks.h"
#include "kernels/tiles.h"

namespace levin::engine {
namespace {

using kernels::DType;
using nlohmann::json;

// xorshift64*: fast, and the same everywhere.
class Bits {
 public:
  explicit Bits(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0x2545F4914F6CDD1Du) {}
  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }

 private:
  uint64_t state_;
};

enum class Fill { kOnes, kRouter, kEmbedding, kMatrix };

struct Planned {
  SafeTensorsStream::Tensor tensor;
  Fill fill = Fill::kMatrix;
  DType type = DType::kF32;
  int64_t rows = 1;
  int64_t cols = 1;
};

class Plan {
 public:
  explicit Plan(DType type) : type_(type) {}

  void vector(const std::string& name, int64_t size) {
    add(name, Fill::kOnes, DType::kF32, 1, size, {size});
  }
  void plain(const std::string& name, Fill fill, DType type, int64_t rows, int64_t cols) {
    add(name, fill, type, rows, cols, {rows, cols});
  }
  void matrix(const std::string& name, int64_t rows, int64_t cols) {
    if (!kernels::is_tiled(type_) || !kernels::can_tile(cols)) {
      return plain(name, Fill::kMatrix, DType::kBF16, rows, cols);
    }
    const auto panel = static_cast<int64_t>(kernels::panel_bytes(type_, cols));
    add(name, Fill::kMatrix, type_, rows, cols, {kernels::num_panels(rows), panel});
    metadata_[kTileKeyPrefix + name] =
        fmt::format("{} {} {}", type_ == DType::kTileQ4 ? "q4" : "q8", rows, cols);
  }

  const std::vector<Planned>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  void add(const std::string& name, Fill fill, DType type, int64_t rows, int64_t cols,
           std::vector<int64_t> shape) {
    Planned planned;
    const bool is_tiled = kernels::is_tiled(type);
    planned.tensor.name = name;
    planned.tensor.dtype = is_tiled ? "U8" : type == DType::kF32 ? "F32" : "BF16";
    planned.tensor.shape = std::move(shape);
    planned.tensor.bytes = is_tiled ? kernels::tiled_bytes(type, rows, cols)
                                    : static_cast<size_t>(rows * cols) * kernels::dtype_size(type);
    planned.fill = fill;
    planned.type = type;
    planned.rows = rows;
    planned.cols = cols;
    tensors_.push_back(std::move(planned));
  }

  DType type_;
  std::vector<Planned> tensors_;
  std::map<std::string, std::string> metadata_ = {{"levin.format", "1"}};
};

Plan plan_model(const ModelConfig& config, DType type) {
  Plan plan(type);
  const int64_t hidden = config.hidden_size;
  const int64_t wide = config.attention_size();
  const int64_t narrow = config.num_kv_heads * config.head_dim;
  plan.plain("model.embed_tokens.weight", Fill::kEmbedding, DType::kBF16, config.vocab_size,
             hidden);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    const std::string attention = prefix + "self_attn.";
    plan.vector(prefix + "input_layernorm.weight", hidden);
    plan.vector(prefix + "post_attention_layernorm.weight", hidden);
    if (config.attention_kinds[static_cast<size_t>(layer)] == AttentionKind::kLightning) {
      plan.matrix(attention + "qkv_proj.weight", 3 * wide, hidden);
      plan.matrix(attention + "output_gate.weight", wide, hidden);
      plan.matrix(attention + "out_proj.weight", hidden, wide);
      plan.vector(attention + "norm.weight", wide);
    } else {
      plan.matrix(attention + "q_proj.weight", wide, hidden);
      plan.matrix(attention + "k_proj.weight", narrow, hidden);
      plan.matrix(attention + "v_proj.weight", narrow, hidden);
      plan.matrix(attention + "o_proj.weight", hidden, wide);
    }
    const std::string moe = prefix + "block_sparse_moe.";
    plan.plain(moe + "gate.weight", Fill::kRouter, DType::kF32, config.num_experts, hidden);
    for (int64_t e = 0; e < config.num_experts; ++e) {
      const std::string expert = fmt::format("{}experts.{}.", moe, e);
      plan.matrix(expert + "w1.weight", config.intermediate_size, hidden);
      plan.matrix(expert + "w3.weight", config.intermediate_size, hidden);
      plan.matrix(expert + "w2.weight", hidden, config.intermediate_size);
    }
  }
  plan.vector("model.norm.weight", hidden);
  if (!config.tie_word_embeddings) plan.matrix("lm_head.weight", config.vocab_size, hidden);
  return plan;
}

// Uniform in (-reach, reach), which has the standard deviation reach / sqrt(3).
float uniform(uint64_t bits16, float reach) {
  return (static_cast<float>(bits16 & 0xFFFF) - 32767.5f) * (reach / 32768.0f);
}

void fill_row_major(const Planned& planned, Bits& random, std::vector<std::byte>* out) {
  const float reach = planned.fill == Fill::kEmbedding
                          ? std::sqrt(3.0f)
                          : std::sqrt(3.0f / static_cast<float>(planned.cols));
  const size_t size = kernels::dtype_size(planned.type);
  for (size_t at = 0; at < out->size(); at += 4 * size) {
    uint64_t bits = random.next();
    for (size_t i = at; i < std::min(at + 4 * size, out->size()); i += size, bits >>= 16) {
      const float value = planned.fill == Fill::kOnes ? 1.0f : uniform(bits, reach);
      uint32_t raw;
      std::memcpy(&raw, &value, sizeof raw);
      if (size == 2) raw >>= 16;
      std::memcpy(out->data() + i, &raw, size);
    }
  }
}

// Random bytes are random weights; only the scales need care. Nibbles 0..15 deviate by 4.6 from
// their middle, bytes by 73.9: the scale brings that to 1 / sqrt(cols), which keeps activations in
// size.
void fill_tiles(const Planned& planned, Bits& random, std::vector<std::byte>* out) {
  for (size_t at = 0; at + 8 <= out->size(); at += 8) {
    const uint64_t bits = random.next();
    std::memcpy(out->data() + at, &bits, sizeof bits);
  }
  const float spread = planned.type == DType::kTileQ4 ? 4.6f : 73.9f;
  const float scale = 1.0f / (spread * std::sqrt(static_cast<float>(planned.cols)));
  const size_t stride = kernels::tile_bytes(planned.type);
  for (size_t tile = 0; tile < out->size(); tile += stride) {
    for (size_t r = 0; r < 16; ++r) {
      const uint16_t half = kernels::float_to_half(
          scale * (0.75f + 0.5f * static_cast<float>(random.next() >> 40) * 0x1p-24f));
      std::memcpy(out->data() + tile + r * 2, &half, sizeof half);
    }
  }
}

// One symbol per byte and the chat markers: enough for every command to run.
std::string byte_tokenizer() {
  json vocab = json::object();
  for (int byte = 0; byte < 256; ++byte) vocab[symbol_of_byte(static_cast<uint8_t>(byte))] = byte;
  json added = json::array();
  int id = 256;
  for (const char* marker : {"<begin_of_document>", "<end_of_document>", "<beginning_of_sentence>",
                             "<end_of_sentence>"}) {
    added.push_back({{"id", id++},
                     {"content", marker},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", false},
                           {"use_regex", true}};
  return json({{"version", "1.0"},
               {"added_tokens", added},
               {"normalizer", nullptr},
               {"pre_tokenizer", byte_level},
               {"post_processor", nullptr},
               {"decoder", byte_level},
               {"model",
                {{"type", "BPE"},
                 {"dropout", nullptr},
                 {"unk_token", nullptr},
                 {"vocab", vocab},
                 {"merges", json::array()}}}})
      .dump();
}

struct Shape {
  const char* name;
  int64_t hidden, layers, heads, head_dim, kv_heads, experts, width, vocab;
};
constexpr Shape kShapes[] = {
    {"m1-5b", 2048, 16, 16, 128, 4, 32, 1536, 32000},
    {"tiny", 256, 8, 4, 64, 4, 8, 512, 4096},
    {"long", 128, 8, 4, 32, 2, 4, 128, 1024},
};

}  // namespace

std::string random_model_shape(const std::string& name) {
  for (const Shape& shape : kShapes) {
    if (name != shape.name) continue;
    std::vector<int> kinds;  // Seven lightning layers for each softmax layer.
    for (int64_t layer = 0; layer < shape.layers; ++layer) kinds.push_back(layer % 8 == 7 ? 1 : 0);
    const double alpha = std::pow(2.0 * static_cast<double>(shape.layers), 0.25);
    json config = {{"architectures", {"MiniMaxM1ForCausalLM"}},
                   {"model_type", "minimax_m1"},
                   {"attn_type_list", kinds},
                   {"hidden_size", shape.hidden},
                   {"num_hidden_layers", shape.layers},
                   {"num_attention_heads", shape.heads},
                   {"num_key_value_heads", shape.kv_heads},
                   {"head_dim", shape.head_dim},
                   {"rotary_dim", shape.head_dim / 2},
                   {"rope_theta", 10000000},
                   {"intermediate_size", shape.width},
                   {"num_local_experts", shape.experts},
                   {"num_experts_per_tok", 2},
                   {"shared_intermediate_size", 0},
                   {"hidden_act", "silu"},
                   {"rms_norm_eps", 1e-5},
                   {"postnorm", true},
                   {"max_position_embeddings", 10240000},
                   {"vocab_size", shape.vocab},
                   {"tie_word_embeddings", false}};
    for (const char* part : {"linear_attention", "full_attention", "mlp"}) {
      config[fmt::format("layernorm_{}_alpha", part)] = alpha;
      config[fmt::format("layernorm_{}_beta", part)] = 1.0;
    }
    return config.dump(1);
  }
  return "";
}

Result<DType> random_model_type(const std::string& name) {
  if (name == "bf16") return DType::kBF16;
  if (name == "q8") return DType::kTileQ8;
  if (name == "q4") return DType::kTileQ4;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("--type {}: expected bf16, q8 or q4", name));
}

Result<uint64_t> write_random_model(const RandomModelOptions& options) {
  TRY_ASSIGN(const ModelConfig config, parse_config(options.config_text, options.config_name));
  const std::string weights = options.folder + "/model.safetensors";
  std::error_code ignored;  // What cannot be looked at cannot be written either.
  for (const char* name : {"model.safetensors", "config.json", "tokenizer.json"}) {
    if (!std::filesystem::exists(options.folder + "/" + name, ignored)) continue;
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{} holds a model already ({}); name an empty folder", options.folder, name));
  }
  TRY(make_directories(options.folder, 0755));
  const Plan plan = plan_model(config, options.type);
  std::vector<SafeTensorsStream::Tensor> tensors;
  uint64_t total = 0;
  for (const Planned& planned : plan.tensors()) {
    tensors.push_back(planned.tensor);
    total += planned.tensor.bytes;
  }
  TRY_ASSIGN(SafeTensorsStream stream,
             SafeTensorsStream::create(weights, tensors, plan.metadata()));
  std::vector<std::byte> bytes;
  uint64_t index = 0;
  for (const Planned& planned : plan.tensors()) {
    Bits random(options.seed ^ (++index * 0x9E3779B97F4A7C15u));
    bytes.resize(planned.tensor.bytes);
    if (kernels::is_tiled(planned.type)) {
      fill_tiles(planned, random, &bytes);
    } else {
      fill_row_major(planned, random, &bytes);
    }
    TRY(stream.write(bytes));
  }
  TRY(stream.finish());
  TRY(write_file_atomic(options.folder + "/tokenizer.json", byte_tokenizer()));
  // Last: a folder without config.json is no model.
  TRY(write_file_atomic(options.folder + "/config.json", options.config_text));
  return total;
}

}  // namespace levin::engine
