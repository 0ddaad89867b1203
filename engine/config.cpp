#include "engine/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file_io.h"
#include "engine/json_brief.h"

namespace levin::engine {
namespace {

using nlohmann::json;

// Beyond these a config is a mistake (or an attack on memory), not a model.
constexpr int64_t kDimensionMax = int64_t{1} << 24;
constexpr int64_t kLayersMax = 4096;

// Reads keys of one JSON object and keeps the first error.
class KeyReader {
 public:
  KeyReader(const json& object, const std::string& file_name) : object_(object), file_(file_name) {}

  bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }

  void whole(const char* key, int64_t* value, int64_t least, int64_t most = kDimensionMax) {
    if (has(key)) {
      const json& found = object_.at(key);
      if (!found.is_number_integer()) return fail(key, "a whole number", json_brief(found));
      // nlohmann keeps numbers above INT64_MAX unsigned; they are out of every range here.
      if (found.is_number_unsigned() && found.get<uint64_t>() > uint64_t{INT64_MAX}) {
        return fail(key, fmt::format("at most {}", most), json_brief(found));
      }
      *value = found.get<int64_t>();
    }
    if (*value < least || *value > most) {
      fail(key, fmt::format("a whole number from {} to {}", least, most), std::to_string(*value));
    }
  }

  template <typename Real>
  void real(const char* key, Real* value) {
    if (!has(key)) return;
    const json& found = object_.at(key);
    if (!found.is_number()) return fail(key, "a number", json_brief(found));
    *value = static_cast<Real>(found.get<double>());
    if (!std::isfinite(*value)) fail(key, "a finite number", json_brief(found));
  }

  void flag(const char* key, bool* value) {
    if (!has(key)) return;
    const json& found = object_.at(key);
    if (!found.is_boolean()) return fail(key, "true or false", json_brief(found));
    *value = found.get<bool>();
  }

  void fail(const std::string& key, const std::string& expected, const std::string& found) {
    if (!error_)
      error_ =
          fmt::format("{}: '{}' is {}, expected {}", file_, key, found.substr(0, 80), expected);
  }

  Result<void> result() const {
    if (error_) return Error(ErrorCode::kCorrupt, *error_);
    return {};
  }

 private:
  const json& object_;
  const std::string& file_;
  std::optional<std::string> error_;
};

void read_attention_kinds(const json& object, KeyReader& reader, ModelConfig* config) {
  if (!reader.has("attn_type_list")) return reader.fail("attn_type_list", "a list", "missing");
  const json& list = object.at("attn_type_list");
  if (!list.is_array()) return reader.fail("attn_type_list", "a list", json_brief(list));
  if (static_cast<int64_t>(list.size()) != config->num_layers) {
    return reader.fail("attn_type_list", fmt::format("{} entries, one a layer", config->num_layers),
                       fmt::format("a list of {}", list.size()));
  }
  for (const json& kind : list) {
    if (kind != 0 && kind != 1) {
      return reader.fail("attn_type_list", "0 (lightning) or 1 (softmax) everywhere",
                         json_brief(kind));
    }
    config->attention_kinds.push_back(kind == 0 ? AttentionKind::kLightning
                                                : AttentionKind::kSoftmax);
  }
}

void check_relations(KeyReader& reader, const ModelConfig& config) {
  if (config.num_heads % config.num_kv_heads != 0) {
    reader.fail("num_key_value_heads", fmt::format("a divisor of the {} heads", config.num_heads),
                std::to_string(config.num_kv_heads));
  }
  if (config.rotary_dim > config.head_dim || config.rotary_dim % 2 != 0) {
    reader.fail("rotary_dim", fmt::format("an even number up to head_dim {}", config.head_dim),
                std::to_string(config.rotary_dim));
  }
  if (config.num_experts_per_token > config.num_experts) {
    reader.fail("num_experts_per_tok", fmt::format("at most the {} experts", config.num_experts),
                std::to_string(config.num_experts_per_token));
  }
  if (config.rope_theta <= 0)
    reader.fail("rope_theta", "more than 0", std::to_string(config.rope_theta));
  if (config.rms_norm_eps < 0)
    reader.fail("rms_norm_eps", "0 or more", std::to_string(config.rms_norm_eps));
}

void read_dimensions(const json& object, KeyReader& reader, ModelConfig* config) {
  reader.whole("vocab_size", &config->vocab_size, 1);
  reader.whole("hidden_size", &config->hidden_size, 1);
  reader.whole("num_hidden_layers", &config->num_layers, 1, kLayersMax);
  reader.whole("num_attention_heads", &config->num_heads, 1);
  const bool kv_is_null =
      object.contains("num_key_value_heads") && object.at("num_key_value_heads").is_null();
  if (kv_is_null) config->num_kv_heads = config->num_heads;
  reader.whole("num_key_value_heads", &config->num_kv_heads, 1);
  config->head_dim = config->num_heads > 0 ? config->hidden_size / config->num_heads : 1;
  reader.whole("head_dim", &config->head_dim, 1, 1 << 16);
  config->rotary_dim = config->head_dim;
  reader.whole("rotary_dim", &config->rotary_dim, 0, 1 << 16);
  reader.whole("intermediate_size", &config->intermediate_size, 1);
  reader.whole("num_local_experts", &config->num_experts, 1, 1 << 16);
  reader.whole("num_experts_per_tok", &config->num_experts_per_token, 1, 1 << 16);
  reader.whole("shared_intermediate_size", &config->shared_intermediate_size, 0);
  reader.whole("max_position_embeddings", &config->max_position_embeddings, 1, int64_t{1} << 40);
  reader.whole("eos_token_id", &config->eos_token_id, -1);
}

Result<void> refuse_relatives(const json& object, const std::string& file_name) {
  const auto found = object.find("model_type");
  const std::string type = found == object.end() ? ""
                           : found->is_string()  ? found->get<std::string>()
                                                 : "?";
  static const char* const kKnown[] = {
      "", "minimax_m1", "MiniMaxM1", "minimax_text_01", "MiniMaxText01", "minimax_text"};
  if (std::find(std::begin(kKnown), std::end(kKnown), type) == std::end(kKnown)) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: model_type is '{}'; this engine computes minimax_m1 and "
                             "minimax_text_01 checkpoints",
                             file_name, type));
  }
  if (object.contains("hidden_act") && object.at("hidden_act") != "silu") {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: hidden_act is {}, only silu is computed", file_name,
                             json_brief(object.at("hidden_act"))));
  }
  if (object.contains("sliding_window") && !object.at("sliding_window").is_null()) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: sliding_window is {}, only null is computed", file_name,
                             json_brief(object.at("sliding_window"))));
  }
  return {};
}

}  // namespace

int64_t ModelConfig::num_linear_layers() const {
  return std::count(attention_kinds.begin(), attention_kinds.end(), AttentionKind::kLightning);
}

Result<ModelConfig> parse_config(const std::string& json_text, const std::string& file_name) {
  const json object = json::parse(json_text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return Error(ErrorCode::kCorrupt,
                 file_name + ": expected a JSON object, found " +
                     (object.is_discarded() ? "text that is not JSON" : object.type_name()));
  }
  TRY(refuse_relatives(object, file_name));
  ModelConfig config;
  KeyReader reader(object, file_name);
  read_dimensions(object, reader, &config);
  reader.real("rope_theta", &config.rope_theta);
  reader.real("rms_norm_eps", &config.rms_norm_eps);
  reader.flag("postnorm", &config.postnorm);
  reader.flag("tie_word_embeddings", &config.tie_word_embeddings);
  reader.real("layernorm_linear_attention_alpha", &config.linear_scale.alpha);
  reader.real("layernorm_linear_attention_beta", &config.linear_scale.beta);
  reader.real("layernorm_full_attention_alpha", &config.full_scale.alpha);
  reader.real("layernorm_full_attention_beta", &config.full_scale.beta);
  reader.real("layernorm_mlp_alpha", &config.mlp_scale.alpha);
  reader.real("layernorm_mlp_beta", &config.mlp_scale.beta);
  TRY(reader.result());
  read_attention_kinds(object, reader, &config);
  check_relations(reader, config);
  TRY(reader.result());
  if (object.contains("architectures") && object.at("architectures").is_array() &&
      !object.at("architectures").empty() && object.at("architectures")[0].is_string()) {
    config.architecture = object.at("architectures")[0].get<std::string>();
    if (!config.architecture.starts_with("MiniMax")) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("{}: architecture '{}'; this engine computes those of the MiniMax "
                               "family, such as MiniMaxM1ForCausalLM",
                               file_name, config.architecture));
    }
  }
  return config;
}

Result<ModelConfig> load_config(const std::string& path) {
  TRY_ASSIGN(const std::string text, read_file(path, 16 << 20));
  return parse_config(text, path);
}

std::vector<float> slope_rates(const ModelConfig& config, int64_t layer) {
  // For a power of two: 2^(-8 (j + 1) / h). Otherwise the slopes of the next lower power m, then
  // those of 2m heads at even places (the ALiBi rule).
  const auto power_slopes = [](int64_t heads) {
    std::vector<double> slopes;
    for (int64_t j = 0; j < heads; ++j) {
      slopes.push_back(std::exp2(-8.0 * static_cast<double>(j + 1) / static_cast<double>(heads)));
    }
    return slopes;
  };
  int64_t lower = 1;
  while (lower * 2 <= config.num_heads) lower *= 2;
  std::vector<double> slopes = power_slopes(lower);
  const std::vector<double> finer = power_slopes(2 * lower);
  for (size_t even = 0; static_cast<int64_t>(slopes.size()) < config.num_heads; even += 2) {
    slopes.push_back(finer[even]);
  }
  const double fraction = config.num_layers > 1 ? static_cast<double>(layer) /
                                                      static_cast<double>(config.num_layers - 1)
                                                : 0.0;
  std::vector<float> rates;
  // The published code multiplies a float32 tensor by a Python number: one rounding each.
  for (const double slope : slopes) {
    rates.push_back(static_cast<float>(slope) * static_cast<float>(1 - fraction + 1e-5));
  }
  return rates;
}

}  // namespace levin::engine
