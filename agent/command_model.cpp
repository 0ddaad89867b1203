// levin model info DIR: what a checkpoint holds.
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/commands.h"
#include "agent/model_card.h"
#include "engine/engine.h"
#include "engine/gguf_model.h"
#include "engine/gguf_tokenizer.h"

namespace levin::agent {
namespace {

using nlohmann::ordered_json;

struct DtypeTotal {
  int64_t tensors = 0;
  int64_t parameters = 0;
  uint64_t bytes = 0;
};

std::map<std::string, DtypeTotal> totals_of(const engine::TensorFiles& files) {
  std::map<std::string, DtypeTotal> totals;
  for (const auto& [name, info] : files.tensors()) {
    std::string dtype = info.dtype;
    int64_t parameters = info.num_elements();
    // A tiled tensor is bytes in the file; what they hold stands in the metadata, already checked.
    const auto tiles = files.metadata().find(engine::kTileKeyPrefix + name);
    if (tiles != files.metadata().end()) {
      const Result<engine::MatrixView> shape = engine::parse_tile_value(tiles->second);
      if (shape) parameters = shape->rows * shape->cols;
      dtype = tiles->second.substr(0, tiles->second.find(' ')) + " tiles";
    }
    DtypeTotal& total = totals[dtype];
    ++total.tensors;
    total.parameters += parameters;
    total.bytes += info.data.size();
  }
  return totals;
}

// Parameters that one token's forward pass reads, embedding and lm_head left out.
int64_t active_parameters(const engine::ModelConfig& config, int64_t all) {
  const int64_t expert = 3 * config.intermediate_size * config.hidden_size;
  const int64_t idle =
      config.num_layers * (config.num_experts - config.num_experts_per_token) * expert;
  const int64_t ends =
      config.vocab_size * config.hidden_size * (config.tie_word_embeddings ? 1 : 2);
  return all - idle - ends;
}

ordered_json describe(const engine::Model& model, const ModelCard& card) {
  const engine::ModelConfig& config = model.config;
  ordered_json out;
  out["name"] = card.name;
  out["architecture"] = config.architecture;
  out["layers"] = config.num_layers;
  out["lightning_layers"] = config.num_linear_layers();
  out["softmax_layers"] = config.num_layers - config.num_linear_layers();
  out["hidden_size"] = config.hidden_size;
  out["heads"] = config.num_heads;
  out["kv_heads"] = config.num_kv_heads;
  out["head_dim"] = config.head_dim;
  out["rotary_dim"] = config.rotary_dim;
  out["experts"] = config.num_experts;
  out["experts_per_token"] = config.num_experts_per_token;
  out["expert_width"] = config.intermediate_size;
  out["shared_expert_width"] = config.shared_intermediate_size;
  out["vocab_size"] = config.vocab_size;
  out["context_tokens"] = config.max_position_embeddings;
  int64_t parameters = 0;
  uint64_t bytes = 0;
  ordered_json dtypes = ordered_json::object();
  for (const auto& [dtype, total] : totals_of(model.files)) {
    dtypes[dtype] = {
        {"tensors", total.tensors}, {"parameters", total.parameters}, {"bytes", total.bytes}};
    parameters += total.parameters;
    bytes += total.bytes;
  }
  out["parameters"] = parameters;
  out["active_parameters"] = active_parameters(config, parameters);
  out["weight_bytes"] = bytes;
  out["weight_files"] = model.files.num_files();
  out["dtypes"] = std::move(dtypes);
  const int64_t softmax_layers = config.num_layers - config.num_linear_layers();
  out["linear_state_bytes"] =
      config.num_linear_layers() * config.num_heads * config.head_dim * config.head_dim * 4;
  const int64_t kv_value_bytes = card.precision == "exact" ? 4 : 2;  // float32, else bfloat16
  out["kv_bytes_per_token"] =
      softmax_layers * 2 * config.num_kv_heads * config.head_dim * kv_value_bytes;
  out["profile"] = card.profile;
  out["sampling"] = {
      {"temperature", card.temperature}, {"top_p", card.top_p}, {"max_tokens", card.max_tokens}};
  return out;
}

Result<ordered_json> load_and_describe(const std::string& folder) {
  engine::LoadOptions load;
  load.dequantises = false;
  TRY_ASSIGN(const std::unique_ptr<engine::Model> model, engine::load_model(folder, load));
  TRY_ASSIGN(const ModelCard card, load_model_card(folder));
  ordered_json out = describe(*model, card);
  const Result<engine::Tokenizer> tokenizer = engine::open_tokenizer(folder, "m1");
  if (engine::is_gguf_path(folder)) {
    TRY_ASSIGN(const engine::Gguf file, engine::Gguf::open(folder));
    const Result<engine::TemplateFamily> family = engine::gguf_template_family(file);
    out["chat_template"] =
        family ? std::string(engine::template_family_name(*family)) : family.error().message();
  }
  out["tokenizer"] =
      tokenizer ? fmt::format("{} ids", tokenizer->vocab_size()) : tokenizer.error().message();
  return out;
}

}  // namespace

int command_model_info(const std::string& folder, bool json) {
  const Result<ordered_json> described = load_and_describe(folder);
  if (!described) {
    std::cerr << "levin model info: " << described.error().message() << std::endl;
    return 2;
  }
  if (json) {
    std::cout << described->dump(2) << std::endl;
    return 0;
  }
  for (const auto& [key, value] : described->items()) {
    std::cout << fmt::format("{:<20} {}\n", key,
                             value.is_string() ? value.get<std::string>() : value.dump());
  }
  return 0;
}

}  // namespace levin::agent
