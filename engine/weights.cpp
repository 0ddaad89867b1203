// Tensor names -> Weights. Names and shapes are those of the published checkpoints.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file_io.h"
#include "engine/gguf_model.h"
#include "engine/model.h"
#include "engine/safetensors.h"
#include "engine/weight_scan.h"
#include "kernels/finite.h"
#include "kernels/quant_blocks.h"
#include "kernels/tile_packing.h"

namespace levin::engine {
namespace {

using kernels::DType;

// Looks tensors up by name and keeps the first problem, so that the name map below reads as a list.
class TensorSource {
 public:
  // packer: null where weights are read as the file has them.
  TensorSource(const TensorFiles& files, Weights* owner, WeightPacker* packer, bool dequantises)
      : files_(files), owner_(owner), packer_(packer), dequantises_(dequantises) {}

  bool has(const std::string& name) const { return files_.find(name) != nullptr; }

  // A matrix of the bulk of the model: as tiles where the precision and its type allow.
  MatrixView matrix(const std::string& name, int64_t rows, int64_t cols) {
    const std::string* tiles = tile_value(name);
    if (tiles != nullptr) return tiled(name, *tiles, rows, cols, packer_);
    if (packer_ == nullptr) return plain(name, rows, cols);
    const TensorInfo* info = get(name, {rows, cols});
    if (info == nullptr) return {};
    const MatrixView packed = keep(packer_->add(name, *info, rows, cols));
    return packed.data != nullptr || error_ ? packed : plain(name, rows, cols);
  }

  // A matrix whose inputs are never rounded (embedding, router, lm_head): row-major, since the ops
  // that read it know no tiles. Tiles of a file are widened.
  MatrixView plain(const std::string& name, int64_t rows, int64_t cols) {
    const std::string* tiles = tile_value(name);
    if (tiles != nullptr) return tiled(name, *tiles, rows, cols, nullptr);
    const TensorInfo* info = get(name, {rows, cols});
    if (info == nullptr) return {};
    MatrixView view;
    view.data = info->data.data();
    view.dtype = dtype_of(*info);
    view.rows = rows;
    view.cols = cols;
    if (block_type_of(*info)) {
      view.data = dequantised(name, *info);
    } else {
      in_place_.push_back({name, view});
    }
    return view;
  }

  // lm_head: its inputs are rounded only where the file has it in blocks or tiles.
  MatrixView head(const std::string& name, int64_t rows, int64_t cols) {
    const TensorInfo* info = files_.find(name);
    const bool is_quantised =
        tile_value(name) != nullptr || (info != nullptr && block_type_of(*info).has_value());
    return is_quantised ? matrix(name, rows, cols) : plain(name, rows, cols);
  }

  std::vector<float> vector(const std::string& name, int64_t size) {
    const TensorInfo* info = get(name, {size});
    std::vector<float> values(info == nullptr ? 0 : static_cast<size_t>(size));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = element(*info, i);
      if (!std::isfinite(values[i])) not_finite(name, fmt::format("number {}", i));
    }
    return values;
  }

  // What is read where it lies.
  const std::vector<WeightInPlace>& in_place() const { return in_place_; }

  Result<void> result() const {
    if (error_) return *error_;
    return {};
  }

 private:
  const std::string* tile_value(const std::string& name) const {
    const auto entry = files_.metadata().find(kTileKeyPrefix + name);
    return entry == files_.metadata().end() ? nullptr : &entry->second;
  }

  // What `result` holds; an error is kept as the first problem.
  MatrixView keep(Result<MatrixView> result) {
    if (!result) {
      error_ = std::move(result).error();
      return {};
    }
    (result->dtype == DType::kTileBF16 ? owner_->has_bf16_tiles : owner_->has_int8_tiles) |=
        kernels::is_tiled(result->dtype);
    return *result;
  }

  // packer: null for float32 weights instead of tiles.
  MatrixView tiled(const std::string& name, const std::string& value, int64_t rows, int64_t cols,
                   WeightPacker* packer) {
    if (error_) return {};
    Result<MatrixView> shape = parse_tile_value(value);
    if (!shape) {
      error_ = std::move(shape).error().context(fmt::format("tensor '{}'", name));
      return {};
    }
    if (shape->rows != rows || shape->cols != cols) {
      error_ = Error(ErrorCode::kCorrupt,
                     fmt::format("tensor '{}' is [{}, {}] in tiles, config implies [{}, {}]", name,
                                 shape->rows, shape->cols, rows, cols));
      return {};
    }
    const auto panel = static_cast<int64_t>(kernels::panel_bytes(shape->dtype, cols));
    const TensorInfo* info = get(name, {kernels::num_panels(rows), panel});
    if (info == nullptr) return {};
    if (packer != nullptr) return keep(packer->add_tiles(name, *info, *shape));
    if (!dequantises_) return *shape;
    shape->data = info->data.data();
    if (!kernels::panels_are_finite(shape->dtype, cols, info->data.data(), 0,
                                    kernels::num_panels(rows))) {
      not_finite(name, "a scale");
      return {};
    }
    std::vector<float>& copy = owner_->dequantised.emplace_back();
    copy.reserve(static_cast<size_t>(rows * cols));
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = 0; col < cols; ++col) {
        copy.push_back(kernels::weight_at(*shape, row, col));
      }
    }
    return {copy.data(), DType::kF32, rows, cols};
  }

  static std::optional<kernels::BlockType> block_type_of(const TensorInfo& info) {
    kernels::BlockType type;
    if (kernels::parse_block_type(info.dtype, &type)) return type;
    return std::nullopt;
  }

  static DType dtype_of(const TensorInfo& info) {
    if (info.dtype == "F32" || block_type_of(info)) return DType::kF32;
    return info.dtype == "F16" ? DType::kF16 : DType::kBF16;
  }

  // Exact weights of a quantised tensor: a float32 copy.
  const float* dequantised(const std::string& name, const TensorInfo& info) {
    if (!dequantises_) return nullptr;
    const kernels::BlockType type = *block_type_of(info);
    const int64_t num_blocks = info.num_elements() / kernels::block_weights(type);
    const int64_t bad = kernels::find_bad_block(type, info.data.data(), num_blocks);
    if (bad >= 0 && !error_) {
      error_ = Error(ErrorCode::kCorrupt,
                     fmt::format("tensor '{}': the scale of {} block {} is not a finite number",
                                 name, info.dtype, bad));
    }
    if (error_) return nullptr;
    std::vector<float>& copy = owner_->dequantised.emplace_back();
    copy.resize(static_cast<size_t>(info.num_elements()));
    kernels::dequantise(type, info.data.data(), num_blocks, copy.data());
    return copy.data();
  }

  static float element(const TensorInfo& info, size_t index) {
    if (info.dtype == "F32") {
      float value;
      std::memcpy(&value, info.data.data() + index * 4, sizeof value);
      return value;
    }
    uint16_t half;
    std::memcpy(&half, info.data.data() + index * 2, sizeof half);
    if (info.dtype == "BF16") {
      const uint32_t wide = static_cast<uint32_t>(half) << 16;
      float value;
      std::memcpy(&value, &wide, sizeof value);
      return value;
    }
    const int exponent = (half >> 10) & 31;
    const int mantissa = half & 1023;
    if (exponent == 31) return mantissa != 0 ? NAN : (half & 0x8000) != 0 ? -INFINITY : INFINITY;
    const double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return static_cast<float>((half & 0x8000) != 0 ? -magnitude : magnitude);
  }

  const TensorInfo* get(const std::string& name, const std::vector<int64_t>& shape) {
    if (error_) return nullptr;
    const TensorInfo* info = files_.find(name);
    if (info == nullptr) {
      error_ = Error(ErrorCode::kCorrupt, fmt::format("tensor '{}' is missing, config implies {}",
                                                      name, shape_text(shape)));
      return nullptr;
    }
    if (info->shape != shape) {
      error_ = Error(ErrorCode::kCorrupt, fmt::format("tensor '{}' is {}, config implies {}", name,
                                                      shape_text(info->shape), shape_text(shape)));
      return nullptr;
    }
    const bool is_plain = info->dtype == "F32" || info->dtype == "F16" || info->dtype == "BF16";
    const bool is_matrix = shape.size() == 2;
    const bool is_tile = is_matrix && tile_value(name) != nullptr;
    const bool is_known = is_plain || (is_matrix && block_type_of(*info));
    if (is_tile ? info->dtype != "U8" : !is_known) {
      error_ = Error(ErrorCode::kUnsupported,
                     fmt::format("tensor '{}' is {}, expected {}", name, info->dtype,
                                 is_tile ? "U8 (tiles)" : "F32, F16 or BF16"));
      return nullptr;
    }
    return info;
  }

  void not_finite(const std::string& name, const std::string& what) {
    if (error_ || !dequantises_) return;
    error_ = Error(ErrorCode::kCorrupt,
                   fmt::format("tensor '{}': {} is not a finite number", name, what));
  }

  const TensorFiles& files_;
  Weights* owner_;
  WeightPacker* packer_;
  bool dequantises_;
  std::vector<WeightInPlace> in_place_;
  std::optional<Error> error_;
};

void load_attention(TensorSource& source, const ModelConfig& config, const std::string& prefix,
                    int64_t layer, LayerWeights* weights) {
  const int64_t hidden = config.hidden_size;
  const int64_t wide = config.attention_size();
  const int64_t narrow = config.num_kv_heads * config.head_dim;
  const std::string name = prefix + "self_attn.";
  if (weights->kind == AttentionKind::kLightning) {
    weights->lightning.qkv = source.matrix(name + "qkv_proj.weight", 3 * wide, hidden);
    weights->lightning.output_gate = source.matrix(name + "output_gate.weight", wide, hidden);
    weights->lightning.out = source.matrix(name + "out_proj.weight", hidden, wide);
    weights->lightning.norm = source.vector(name + "norm.weight", wide);
    if (!source.result()) return;  // A wrong config may claim millions of heads.
    for (const float rate : slope_rates(config, layer)) {
      for (int64_t i = 0; i <= kernels::kLightningBlock; ++i) {
        const double power = std::exp(-double{rate} * static_cast<double>(i));
        weights->lightning.decay_powers.push_back(static_cast<float>(power));
      }
    }
    return;
  }
  weights->softmax.q = source.matrix(name + "q_proj.weight", wide, hidden);
  weights->softmax.k = source.matrix(name + "k_proj.weight", narrow, hidden);
  weights->softmax.v = source.matrix(name + "v_proj.weight", narrow, hidden);
  weights->softmax.out = source.matrix(name + "o_proj.weight", hidden, wide);
}

MlpWeights load_mlp(TensorSource& source, const std::string& gate, const std::string& up,
                    const std::string& down, int64_t width, int64_t hidden) {
  MlpWeights mlp;
  mlp.gate = source.matrix(gate, width, hidden);
  mlp.up = source.matrix(up, width, hidden);
  mlp.down = source.matrix(down, hidden, width);
  return mlp;
}

void load_moe(TensorSource& source, const ModelConfig& config, const std::string& prefix,
              MoeWeights* weights) {
  const int64_t hidden = config.hidden_size;
  const std::string name = prefix + "block_sparse_moe.";
  weights->router = source.plain(name + "gate.weight", config.num_experts, hidden);
  for (int64_t e = 0; e < config.num_experts && source.result(); ++e) {
    const std::string expert = fmt::format("{}experts.{}.", name, e);
    weights->experts.push_back(load_mlp(source, expert + "w1.weight", expert + "w3.weight",
                                        expert + "w2.weight", config.intermediate_size, hidden));
  }
  if (config.shared_intermediate_size == 0) return;
  weights->has_shared = true;
  // The published code sizes this MLP with intermediate_size, vLLM with shared_intermediate_size.
  // Only where both are equal a file fits both; the published code decides.
  const std::string shared = prefix + "shared_mlp.";
  weights->shared = load_mlp(source, shared + "gate_proj.weight", shared + "up_proj.weight",
                             shared + "down_proj.weight", config.intermediate_size, hidden);
  weights->shared_gate = source.plain(prefix + "coefficient.weight", 1, hidden);
}

const kernels::Parallel& parallel_of(const LoadOptions& options) {
  return options.parallel != nullptr ? *options.parallel : kernels::on_this_thread();
}

// Precision exact keeps quantised weights as float32 copies, eight times a file of 4-bit weights:
// said before the first is made.
Result<void> expect_room_for_copies(const TensorFiles& files, uint64_t bytes_max) {
  uint64_t needed = 0;
  for (const auto& [name, info] : files.tensors()) {
    kernels::BlockType type;
    if (kernels::parse_block_type(info.dtype, &type)) {
      needed += static_cast<uint64_t>(info.num_elements()) * sizeof(float);
    }
    const auto tiles = files.metadata().find(kTileKeyPrefix + name);
    if (tiles == files.metadata().end()) continue;
    TRY_ASSIGN(const MatrixView shape, parse_tile_value(tiles->second));
    needed += static_cast<uint64_t>(shape.rows) * static_cast<uint64_t>(shape.cols) * sizeof(float);
  }
  // An eighth is left for buffers, the cache and the rest of the machine.
  const uint64_t available = available_memory_bytes();
  const uint64_t limit = bytes_max > 0 ? bytes_max : available - available / 8;
  if (limit == 0 || needed <= limit) return {};
  return Error(ErrorCode::kLimit,
               fmt::format("precision exact needs {:.2f} GB for float32 copies of quantised "
                           "weights, {:.2f} GB are available; precision native reads them as they "
                           "are (--precision native)",
                           static_cast<double>(needed) / 1e9, static_cast<double>(limit) / 1e9));
}

Result<Weights> load_weights(const TensorFiles& files, const ModelConfig& config,
                             WeightPacker* packer, const LoadOptions& options) {
  Weights weights;
  if (packer == nullptr && options.dequantises) {
    TRY(expect_room_for_copies(files, options.widened_bytes_max));
  }
  TensorSource source(files, &weights, packer, options.dequantises);
  weights.embedding =
      source.plain("model.embed_tokens.weight", config.vocab_size, config.hidden_size);
  // Stops at the first problem: a wrong config may claim millions of experts that no file holds.
  for (int64_t layer = 0; layer < config.num_layers && source.result(); ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    LayerWeights& one = weights.layers.emplace_back();
    one.kind = config.attention_kinds[static_cast<size_t>(layer)];
    one.input_norm = source.vector(prefix + "input_layernorm.weight", config.hidden_size);
    one.post_attention_norm =
        source.vector(prefix + "post_attention_layernorm.weight", config.hidden_size);
    load_attention(source, config, prefix, layer, &one);
    load_moe(source, config, prefix, &one.moe);
  }
  weights.final_norm = source.vector("model.norm.weight", config.hidden_size);
  const bool tied = config.tie_word_embeddings && !source.has("lm_head.weight");
  weights.lm_head = source.head(tied ? "model.embed_tokens.weight" : "lm_head.weight",
                                config.vocab_size, config.hidden_size);
  TRY(source.result());
  if (options.dequantises) TRY(expect_finite(source.in_place(), parallel_of(options)));
  return weights;
}

// Tells checkpoints apart without reading all of them: the config, every tensor's name, type and
// shape, and the first bytes of some tensors spread over the file.
std::string fingerprint_of(const std::string& config_text, const TensorFiles& files) {
  constexpr size_t kSamples = 256;
  constexpr size_t kSampleBytes = 4096;
  XXH3_state_t* hash = XXH3_createState();
  XXH3_64bits_reset(hash);
  XXH3_64bits_update(hash, config_text.data(), config_text.size());
  const size_t step = files.tensors().size() / kSamples + 1;
  size_t index = 0;
  for (const auto& [name, info] : files.tensors()) {
    const std::string text = name + info.dtype + shape_text(info.shape);
    XXH3_64bits_update(hash, text.data(), text.size());
    if (index++ % step == 0) {
      XXH3_64bits_update(hash, info.data.data(), std::min(info.data.size(), kSampleBytes));
    }
  }
  const XXH64_hash_t digest = XXH3_64bits_digest(hash);
  XXH3_freeState(hash);
  return fmt::format("{:016x}", digest);
}

// A folder, or a GGUF file: the config as JSON, and the tensors under their published names.
Result<std::string> open_files(const std::string& path, Model* model) {
  if (is_gguf_path(path)) {
    TRY_ASSIGN(Gguf file, Gguf::open(path));
    TRY_ASSIGN(std::string config_text, gguf_config_json(file));
    TRY_ASSIGN(model->config, parse_config(config_text, path + " (metadata)"));
    TRY_ASSIGN(model->files, take_gguf_tensors(std::move(file)));
    return config_text;
  }
  const std::string config_path = path + "/config.json";
  TRY_ASSIGN(std::string config_text, read_file(config_path, 16 << 20));
  TRY_ASSIGN(model->config, parse_config(config_text, config_path));
  TRY_ASSIGN(model->files, SafeTensors::open_folder(path));
  return config_text;
}

}  // namespace

Result<std::unique_ptr<Model>> load_model(const std::string& path, const LoadOptions& options) {
  auto model = std::make_unique<Model>();
  TRY_ASSIGN(const std::string config_text, open_files(path, model.get()));
  model->fingerprint = fingerprint_of(config_text, model->files);
  // Rounded activations make another state of the same weights.
  if (options.precision == Precision::kNative) model->fingerprint += "-native";
  WeightPacker packer;
  const bool packs = options.precision == Precision::kNative;
  Result<Weights> weights =
      load_weights(model->files, model->config, packs ? &packer : nullptr, options);
  if (!weights) return std::move(weights).error().context("loading the model in " + path);
  model->weights = *std::move(weights);
  Result<void> packed = packer.run(parallel_of(options));
  if (!packed) return std::move(packed).error().context("loading the model in " + path);
  model->weights.packed = packer.take_arena();
  const ModelConfig& config = model->config;
  for (int64_t c = 0; c < config.rotary_dim / 2; ++c) {
    const float exponent = static_cast<float>(2 * c) / static_cast<float>(config.rotary_dim);
    model->inverse_freq.push_back(1.0f / std::pow(static_cast<float>(config.rope_theta), exponent));
  }
  return model;
}

}  // namespace levin::engine
