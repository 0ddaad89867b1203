#include "engine/quantise_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file_io.h"
#include "engine/gguf_model.h"
#include "engine/gguf_tokenizer.h"
#include "engine/model.h"
#include "engine/safetensors_stream.h"
#include "engine/weight_packer.h"
#include "kernels/quant_blocks.h"
#include "kernels/tile_encoding.h"
#include "kernels/tile_packing.h"

namespace levin::engine {
namespace {

namespace fs = std::filesystem;
using kernels::DType;
using nlohmann::json;

constexpr size_t kChunkBytes = size_t{16} << 20;  // Of tiles in memory at a time.

DType tile_type(QuantType type) {
  switch (type) {
    case QuantType::kQ8:
      return DType::kTileQ8;
    case QuantType::kQ4:
      return DType::kTileQ4;
    default:
      return DType::kTileI8;
  }
}

const char* tile_name(QuantType type) {
  return type == QuantType::kQ8 ? "q8" : type == QuantType::kQ4 ? "q4" : "i8";
}

// Router, norms, embedding and the shared expert's gate stay as they are.
bool is_bulk(const std::string& name, const TensorInfo& info, const QuantiseOptions& options) {
  if (info.shape.size() != 2 || !name.ends_with(".weight")) return false;
  if (name.find(".block_sparse_moe.experts.") != std::string::npos) return true;
  if (options.type == QuantType::kExpertsInt8) return false;
  if (name == "lm_head.weight") return !options.keep_lm_head;
  return name.find(".self_attn.") != std::string::npos ||
         name.find(".shared_mlp.") != std::string::npos;
}

std::optional<kernels::BlockType> blocks_of(const TensorInfo& info) {
  kernels::BlockType type;
  if (kernels::parse_block_type(info.dtype, &type)) return type;
  return std::nullopt;
}

// `count` rows of a matrix of blocks from `top` on, as float32.
void widen_rows(kernels::BlockType type, const TensorInfo& info, int64_t top, int64_t count,
                float* out) {
  const int64_t row_blocks = info.shape.back() / kernels::block_weights(type);
  const auto offset = static_cast<size_t>(top * row_blocks) * kernels::block_bytes(type);
  kernels::dequantise(type, info.data.data() + offset, count * row_blocks, out);
}

DType plain_type(const TensorInfo& info) {
  if (info.dtype == "F32") return DType::kF32;
  return info.dtype == "F16" ? DType::kF16 : DType::kBF16;
}

// Quantises panels [first, last) of one tensor into a buffer, on all threads.
struct EncodeJob {
  const TensorInfo* info;
  std::optional<kernels::BlockType> blocks;  // Then `from` says only rows and columns.
  kernels::MatrixView from;
  DType to;
  char* out;  // Of panel `first`.
  int64_t first;
  std::atomic<bool> is_too_large = false;
  std::atomic<int64_t> bad_weight = -1;  // Index of one that is not finite.

  static void run(void* argument, int64_t begin, int64_t end, int) {
    auto& job = *static_cast<EncodeJob*>(argument);
    const int64_t cols = job.from.cols;
    std::vector<float> rows(static_cast<size_t>(kernels::kTileRows * cols));
    for (int64_t panel = job.first + begin; panel < job.first + end; ++panel) {
      const int64_t top = panel * kernels::kTileRows;
      const int64_t num_rows = std::min(kernels::kTileRows, job.from.rows - top);
      if (job.blocks) widen_rows(*job.blocks, *job.info, top, num_rows, rows.data());
      for (int64_t i = 0; i < num_rows * cols; ++i) {
        const float w = job.blocks ? rows[static_cast<size_t>(i)]
                                   : kernels::weight_at(job.from, top + i / cols, i % cols);
        if (!std::isfinite(w)) job.bad_weight = top * cols + i;
        rows[static_cast<size_t>(i)] = w;
      }
      if (job.bad_weight >= 0) return;
      char* out =
          job.out + static_cast<size_t>(panel - job.first) * kernels::panel_bytes(job.to, cols);
      if (!kernels::encode_panel(job.to, rows.data(), num_rows, cols, out)) job.is_too_large = true;
    }
  }
};

class Quantiser {
 public:
  Quantiser(const QuantiseOptions& options, const TensorFiles& files)
      : options_(options), files_(files) {}

  Result<QuantiseReport> write(const std::string& path) {
    plan();
    TRY_ASSIGN(SafeTensorsStream file, SafeTensorsStream::create(path, planned_, metadata_));
    for (const auto& [name, info] : files_.tensors()) {
      if (is_tiled(name, info)) {
        TRY(write_tiles(name, info, file));
      } else if (blocks_of(info)) {
        TRY(write_widened(name, info, file));
      } else {
        TRY(file.write(info.data));
      }
    }
    TRY(file.finish());
    return report_;
  }

 private:
  bool is_tiled(const std::string& name, const TensorInfo& info) const {
    return is_bulk(name, info, options_) && kernels::can_tile(info.shape[1]);
  }

  // What the file will hold; sizes are known before any weight is read.
  void plan() {
    metadata_ = files_.metadata();
    metadata_["levin.format"] = "1";
    const DType type = tile_type(options_.type);
    for (const auto& [name, info] : files_.tensors()) {
      report_.bytes_before += info.data.size();
      SafeTensorsStream::Tensor& one =
          planned_.emplace_back(SafeTensorsStream::Tensor{name, info.dtype, info.shape});
      one.bytes = info.data.size();
      if (is_tiled(name, info)) {
        const auto panel = static_cast<int64_t>(kernels::panel_bytes(type, info.shape[1]));
        one.dtype = "U8";
        one.shape = {kernels::num_panels(info.shape[0]), panel};
        one.bytes = kernels::tiled_bytes(type, info.shape[0], info.shape[1]);
        metadata_[kTileKeyPrefix + name] =
            fmt::format("{} {} {}", tile_name(options_.type), info.shape[0], info.shape[1]);
        ++report_.num_quantised;
      } else {
        ++report_.num_kept;
        if (blocks_of(info)) {  // Safetensors know no blocks: the same numbers in float32.
          one.dtype = "F32";
          one.bytes = static_cast<uint64_t>(info.num_elements()) * sizeof(float);
        }
        if (is_bulk(name, info, options_)) report_.no_tiles.push_back(name);
      }
      report_.bytes_after += one.bytes;
    }
  }

  Result<void> write_widened(const std::string& name, const TensorInfo& info,
                             SafeTensorsStream& file) {
    const int64_t cols = info.shape.back();
    const int64_t num_rows = info.num_elements() / cols;
    const auto step =
        std::max<int64_t>(1, static_cast<int64_t>(kChunkBytes / sizeof(float)) / cols);
    std::vector<float> rows;
    for (int64_t first = 0; first < num_rows; first += step) {
      const int64_t count = std::min(step, num_rows - first);
      rows.resize(static_cast<size_t>(count * cols));
      widen_rows(*blocks_of(info), info, first, count, rows.data());
      const auto bad =
          std::find_if_not(rows.begin(), rows.end(), [](float w) { return std::isfinite(w); });
      if (bad != rows.end()) return not_finite(name, first * cols + (bad - rows.begin()), cols);
      TRY(file.write(std::as_bytes(std::span<const float>(rows))));
    }
    release_pages(info.data);
    return {};
  }

  static Error not_finite(const std::string& name, int64_t index, int64_t cols) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("tensor '{}': the weight in row {}, column {} is not a finite number",
                             name, index / cols, index % cols));
  }

  Result<void> write_tiles(const std::string& name, const TensorInfo& info,
                           SafeTensorsStream& file) {
    const DType type = tile_type(options_.type);
    const int64_t panels = kernels::num_panels(info.shape[0]);
    const size_t panel = kernels::panel_bytes(type, info.shape[1]);
    const auto step = static_cast<int64_t>(std::max<size_t>(1, kChunkBytes / panel));
    std::vector<char> tiles;
    for (int64_t first = 0; first < panels; first += step) {
      const int64_t count = std::min(step, panels - first);
      tiles.resize(static_cast<size_t>(count) * panel);
      EncodeJob job;
      job.info = &info;
      job.blocks = blocks_of(info);
      job.from = {info.data.data(), plain_type(info), info.shape[0], info.shape[1]};
      job.to = type;
      job.out = tiles.data();
      job.first = first;
      options_.parallel->run(options_.parallel->self, count, 1, EncodeJob::run, &job);
      if (job.bad_weight >= 0) return not_finite(name, job.bad_weight, info.shape[1]);
      if (job.is_too_large) {
        return Error(
            ErrorCode::kUnsupported,
            fmt::format("tensor '{}': weights are too large for half precision scales", name));
      }
      TRY(file.write(std::as_bytes(std::span<const char>(tiles))));
      release_pages(info.data.subspan(
          0, info.data.size() / static_cast<size_t>(panels) * static_cast<size_t>(first + count)));
    }
    release_pages(info.data);
    return {};
  }

  const QuantiseOptions& options_;
  const TensorFiles& files_;
  std::vector<SafeTensorsStream::Tensor> planned_;
  std::map<std::string, std::string> metadata_;
  QuantiseReport report_;
};

Result<void> check_folders(const QuantiseOptions& options) {
  std::error_code error;
  if (!is_gguf_path(options.source) && !fs::is_directory(options.source, error)) {
    return Error(ErrorCode::kInvalidArgument,
                 options.source + ": expected a model folder with safetensors, or a GGUF file");
  }
  if (fs::exists(options.destination, error) && !fs::is_empty(options.destination, error)) {
    return Error(ErrorCode::kInvalidArgument,
                 options.destination + " exists and is not empty; name a new folder");
  }
  return make_directories(options.destination, 0755);
}

std::string native_card(const std::string& text) {
  json card = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!card.is_object()) return text;
  card["precision"] = "native";
  return card.dump(1) + "\n";
}

// What a GGUF file has in its metadata, as the files of a folder.
Result<void> write_gguf_files(const QuantiseOptions& options, std::vector<std::string>* written) {
  const auto write = [&](const std::string& name, const std::string& text) -> Result<void> {
    const std::string path = options.destination + "/" + name;
    TRY(write_file_atomic(path, text));
    written->push_back(path);
    return {};
  };
  TRY_ASSIGN(const Gguf file, Gguf::open(options.source));
  TRY_ASSIGN(const std::string config, gguf_config_json(file));
  TRY(write("config.json", config + "\n"));
  TRY_ASSIGN(const std::string tokenizer, gguf_tokenizer_json(file));
  TRY(write("tokenizer.json", tokenizer + "\n"));
  const std::string card = options.source.substr(0, options.source.size() - 5) + ".levin.json";
  std::error_code error;
  if (!fs::exists(card, error)) return {};
  TRY_ASSIGN(const std::string text, read_file(card));
  return write("levin.json", native_card(text));
}

// Everything beside the weights: config, tokenizer, licence ... The card's precision becomes
// native: that is how tiles are meant to be read.
Result<void> copy_other_files(const QuantiseOptions& options, std::vector<std::string>* copied) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options.source, error)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(error) || name.ends_with(".safetensors") ||
        name.ends_with(".safetensors.index.json")) {
      continue;
    }
    TRY_ASSIGN(std::string content, read_file(entry.path().string()));
    if (name == "levin.json") content = native_card(content);
    TRY(write_file_atomic(options.destination + "/" + name, content));
    copied->push_back(options.destination + "/" + name);
  }
  if (error) return Error(ErrorCode::kIo, options.source + ": " + error.message());
  return {};
}

}  // namespace

Result<QuantiseReport> quantise_model(const QuantiseOptions& options) {
  TRY(check_folders(options));
  LoadOptions load;
  load.dequantises = false;
  TRY_ASSIGN(const std::unique_ptr<Model> model, load_model(options.source, load));
  for (const auto& [name, info] : model->files.tensors()) {
    if (info.dtype == "F32" || info.dtype == "F16" || info.dtype == "BF16") continue;
    if (blocks_of(info)) continue;
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: tensor '{}' is {}, only F32, F16 and BF16 are quantised",
                             options.source, name, info.dtype));
  }
  std::vector<std::string> copied;
  Result<QuantiseReport> report = [&]() -> Result<QuantiseReport> {
    TRY(is_gguf_path(options.source) ? write_gguf_files(options, &copied)
                                     : copy_other_files(options, &copied));
    return Quantiser(options, model->files).write(options.destination + "/model.safetensors");
  }();
  // The folder is empty again, so that the same command may be given once more.
  std::error_code ignored;
  for (size_t i = 0; i < copied.size() && !report; ++i) fs::remove(copied[i], ignored);
  return report;
}

}  // namespace levin::engine
