#include "engine/gguf_model.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/config.h"

namespace levin::engine {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kArchitecture = "minimax-01";
// How often a softmax layer comes when the file does not list the layers: M1's 7 to 1.
constexpr int64_t kFullAttentionInterval = 8;
constexpr int64_t kLayersMax = 4096;

// Reads keys of the architecture and keeps the first problem.
class Keys {
 public:
  explicit Keys(const Gguf& file) : file_(file) {}

  const GgufValue* find(const std::string& key) const {
    return file_.find(std::string(kArchitecture) + "." + key);
  }

  int64_t whole(const std::string& key) { return whole(key, nullptr); }
  int64_t whole_or(const std::string& key, int64_t otherwise) { return whole(key, &otherwise); }

  // A number, or a list with one number a layer of which those at softmax layers count and agree:
  // how newer converters write head_count_kv.
  int64_t whole_of_layers(const std::string& key, const std::vector<int64_t>& kinds,
                          int64_t otherwise) {
    const GgufValue* value = find(key);
    if (value == nullptr || value->kind != GgufKind::kArray) return whole_or(key, otherwise);
    const std::optional<std::vector<int64_t>> list = value->wholes();
    if (!list || list->size() != kinds.size()) {
      fail(key, value->brief(), fmt::format("a whole number, or {} of them", kinds.size()));
      return otherwise;
    }
    std::set<int64_t> different;
    for (size_t i = 0; i < kinds.size(); ++i) {
      if (kinds[i] == 1) different.insert((*list)[i]);
    }
    if (different.size() > 1) fail(key, "different in softmax layers", "one number");
    return different.empty() ? otherwise : *different.begin();
  }

  double real(const std::string& key, std::optional<double> otherwise = std::nullopt) {
    const GgufValue* value = find(key);
    if (value == nullptr && otherwise) return *otherwise;
    const std::optional<double> found = value == nullptr ? std::nullopt : value->real();
    if (found && std::isfinite(*found)) return *found;
    fail(key, value == nullptr ? "missing" : value->brief(), "a finite float");
    return 0;
  }

  void fail(const std::string& key, const std::string& found, const std::string& expected) {
    if (error_) return;
    error_ = fmt::format("{}: key '{}.{}' is {}, expected {}", file_.path(), kArchitecture, key,
                         found, expected);
  }

  Result<void> result() const {
    if (error_) return Error(ErrorCode::kCorrupt, *error_);
    return {};
  }

 private:
  int64_t whole(const std::string& key, const int64_t* otherwise) {
    const GgufValue* value = find(key);
    if (value == nullptr && otherwise != nullptr) return *otherwise;
    const std::optional<int64_t> found = value == nullptr ? std::nullopt : value->whole();
    if (found) return *found;
    fail(key, value == nullptr ? "missing" : value->brief(), "a whole number");
    return 0;
  }

  const Gguf& file_;
  std::optional<std::string> error_;
};

Result<void> refuse_relatives(const Gguf& file, Keys& keys) {
  const GgufValue* found = file.find("general.architecture");
  const std::optional<std::string_view> name = found ? found->text() : std::nullopt;
  if (name != kArchitecture) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: general.architecture is {}; this engine computes '{}' "
                             "(MiniMax-Text-01 and MiniMax-M1)",
                             file.path(), found ? found->brief() : "missing", kArchitecture));
  }
  const auto unsupported = [&](const char* key, const std::string& expected) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: key '{}.{}' is {}, only {} is computed", file.path(),
                             kArchitecture, key, keys.find(key)->brief(), expected));
  };
  const GgufValue* scaling = keys.find("rope.scaling.type");
  if (scaling != nullptr && scaling->text() != "none" &&
      keys.real("rope.scaling.factor", 1.0) != 1.0) {
    return unsupported("rope.scaling.type", "'none'");
  }
  const double scale = keys.real("expert_weights_scale", 0.0);
  if (scale != 0 && scale != 1) return unsupported("expert_weights_scale", "1");
  if (keys.whole_or("expert_shared_count", 0) != 0) return unsupported("expert_shared_count", "0");
  return {};
}

// [num_layers]: 0 lightning, 1 softmax.
std::vector<int64_t> layer_kinds(Keys& keys, int64_t num_layers) {
  std::vector<int64_t> kinds;
  if (num_layers < 1 || num_layers > kLayersMax) {
    keys.fail("block_count", std::to_string(num_layers), fmt::format("1 to {}", kLayersMax));
    return kinds;
  }
  const std::string list_key = "attention.recurrent_layers";
  const GgufValue* listed = keys.find(list_key);
  if (listed != nullptr) {
    const std::optional<std::vector<int64_t>> list = listed->wholes();
    if (!list || static_cast<int64_t>(list->size()) != num_layers) {
      keys.fail(list_key, listed->brief(), fmt::format("{} flags, one a layer", num_layers));
      return kinds;
    }
    for (const int64_t is_lightning : *list) kinds.push_back(is_lightning != 0 ? 0 : 1);
    return kinds;
  }
  const int64_t interval = keys.whole_or("full_attention_interval", kFullAttentionInterval);
  if (interval < 1) {
    keys.fail("full_attention_interval", std::to_string(interval), "1 or more");
    return kinds;
  }
  for (int64_t i = 0; i < num_layers; ++i) kinds.push_back((i + 1) % interval == 0 ? 1 : 0);
  return kinds;
}

// One tensor name of a layer, its published name, its shape.
struct Place {
  const char* name;
  const char* published;
  std::vector<int64_t> shape;  // Three sizes: stacked experts, [E, rows, cols].
};

std::vector<Place> places_of_layer(const ModelConfig& config, AttentionKind kind) {
  const int64_t hidden = config.hidden_size;
  const int64_t wide = config.attention_size();
  const int64_t narrow = config.num_kv_heads * config.head_dim;
  const int64_t width = config.intermediate_size;
  const int64_t experts = config.num_experts;
  std::vector<Place> places = {
      {"attn_norm", "input_layernorm", {hidden}},
      {"ffn_norm", "post_attention_layernorm", {hidden}},
      {"ffn_gate_inp", "block_sparse_moe.gate", {experts, hidden}},
      {"ffn_gate_exps", "w1", {experts, width, hidden}},
      {"ffn_up_exps", "w3", {experts, width, hidden}},
      {"ffn_down_exps", "w2", {experts, hidden, width}},
  };
  if (kind == AttentionKind::kLightning) {
    places.push_back({"attn_qkv", "self_attn.qkv_proj", {3 * wide, hidden}});
    places.push_back({"attn_gate", "self_attn.output_gate", {wide, hidden}});
    places.push_back({"attn_output", "self_attn.out_proj", {hidden, wide}});
    places.push_back({"attn_norm_2", "self_attn.norm", {wide}});
  } else {
    places.push_back({"attn_q", "self_attn.q_proj", {wide, hidden}});
    places.push_back({"attn_k", "self_attn.k_proj", {narrow, hidden}});
    places.push_back({"attn_v", "self_attn.v_proj", {narrow, hidden}});
    places.push_back({"attn_output", "self_attn.o_proj", {hidden, wide}});
  }
  return places;
}

// Takes tensors out of the file one by one; what is left over at the end has no place.
class Taker {
 public:
  Taker(const Gguf& file, TensorFiles* to) : file_(file), left_(file.tensors()), to_(to) {}

  Result<TensorInfo> take(const std::string& name, const std::vector<int64_t>& shape) {
    const auto found = left_.find(name);
    if (found == left_.end()) {
      return Error(ErrorCode::kCorrupt,
                   fmt::format("{}: tensor '{}' is missing, the metadata imply {}", file_.path(),
                               name, shape_text(shape)));
    }
    if (found->second.shape != shape) {
      return Error(ErrorCode::kCorrupt,
                   fmt::format("{}: tensor '{}' is {}, the metadata imply {}", file_.path(), name,
                               shape_text(found->second.shape), shape_text(shape)));
    }
    TensorInfo info = std::move(found->second);
    left_.erase(found);
    return info;
  }

  Result<void> move(const std::string& name, const std::string& published,
                    const std::vector<int64_t>& shape) {
    TRY_ASSIGN(TensorInfo info, take(name, shape));
    to_->add(published, std::move(info));
    return {};
  }

  Result<void> move_layer(const ModelConfig& config, int64_t layer) {
    const std::string from = fmt::format("blk.{}.", layer);
    const std::string to = fmt::format("model.layers.{}.", layer);
    for (const Place& place :
         places_of_layer(config, config.attention_kinds[static_cast<size_t>(layer)])) {
      const std::string name = from + place.name + ".weight";
      if (place.shape.size() < 3) {
        TRY(move(name, to + place.published + ".weight", place.shape));
        continue;
      }
      TRY_ASSIGN(const TensorInfo stack, take(name, place.shape));
      const auto experts = static_cast<size_t>(config.num_experts);
      const size_t bytes = stack.data.size() / experts;
      for (size_t e = 0; e < experts; ++e) {
        to_->add(
            fmt::format("{}block_sparse_moe.experts.{}.{}.weight", to, e, place.published),
            {stack.dtype, {stack.shape[1], stack.shape[2]}, stack.data.subspan(e * bytes, bytes)});
      }
    }
    return {};
  }

  bool has(const std::string& name) const { return left_.contains(name); }

  Result<void> expect_none_left() const {
    if (left_.empty()) return {};
    return Error(ErrorCode::kCorrupt,
                 fmt::format("{}: tensor {} {} has no place in a {} model of these metadata",
                             file_.path(), quoted_name(left_.begin()->first),
                             shape_text(left_.begin()->second.shape), kArchitecture));
  }

 private:
  const Gguf& file_;
  std::map<std::string, TensorInfo> left_;
  TensorFiles* to_;
};

}  // namespace

bool is_gguf_path(const std::string& path) {
  std::error_code ignored;  // A path that cannot be looked at is refused when it is opened.
  return path.ends_with(".gguf") && !std::filesystem::is_directory(path, ignored);
}

Result<std::string> gguf_config_json(const Gguf& file) {
  Keys keys(file);
  TRY(refuse_relatives(file, keys));
  const int64_t num_layers = keys.whole("block_count");
  const std::vector<int64_t> kinds = layer_kinds(keys, num_layers);
  const int64_t heads = keys.whole("attention.head_count");
  const int64_t hidden = keys.whole("embedding_length");
  if (heads < 1) keys.fail("attention.head_count", std::to_string(heads), "1 or more");
  const int64_t head_dim = keys.whole_or("attention.key_length", heads < 1 ? 1 : hidden / heads);
  const int64_t value_dim = keys.whole_or("attention.value_length", head_dim);
  if (value_dim != head_dim) {
    keys.fail("attention.value_length", std::to_string(value_dim),
              fmt::format("attention.key_length, {}", head_dim));
  }
  const auto embedding = file.tensors().find("token_embd.weight");
  if (embedding == file.tensors().end()) {
    return Error(ErrorCode::kCorrupt, file.path() + ": tensor 'token_embd.weight' is missing");
  }
  ordered_json config;
  config["architectures"] = {"MiniMaxM1ForCausalLM"};
  config["model_type"] = "minimax_m1";
  config["attn_type_list"] = kinds;
  config["vocab_size"] = embedding->second.shape[0];
  config["hidden_size"] = hidden;
  config["num_hidden_layers"] = num_layers;
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = keys.whole_of_layers("attention.head_count_kv", kinds, heads);
  config["head_dim"] = head_dim;
  config["rotary_dim"] = keys.whole_or("rope.dimension_count", head_dim);
  config["rope_theta"] = keys.real("rope.freq_base", 10000.0);
  config["intermediate_size"] = keys.whole("feed_forward_length");
  config["num_local_experts"] = keys.whole("expert_count");
  config["num_experts_per_tok"] = keys.whole("expert_used_count");
  config["rms_norm_eps"] = keys.real("attention.layer_norm_rms_epsilon");
  config["max_position_embeddings"] = keys.whole("context_length");
  config["postnorm"] = true;
  const double alpha = keys.real("residual_scale");
  for (const char* block : {"linear_attention", "full_attention", "mlp"}) {
    config[fmt::format("layernorm_{}_alpha", block)] = alpha;
    config[fmt::format("layernorm_{}_beta", block)] = 1.0;
  }
  config["tie_word_embeddings"] = !file.tensors().contains("output.weight");
  const GgufValue* eos = file.find("tokenizer.ggml.eos_token_id");
  if (eos != nullptr && eos->whole()) config["eos_token_id"] = *eos->whole();
  TRY(keys.result());
  return config.dump(1);
}

Result<TensorFiles> take_gguf_tensors(Gguf&& file) {
  TRY_ASSIGN(const std::string text, gguf_config_json(file));
  TRY_ASSIGN(const ModelConfig config, parse_config(text, file.path() + " (metadata)"));
  TensorFiles tensors;
  Taker taker(file, &tensors);
  const int64_t hidden = config.hidden_size;
  TRY(taker.move("token_embd.weight", "model.embed_tokens.weight", {config.vocab_size, hidden}));
  TRY(taker.move("output_norm.weight", "model.norm.weight", {hidden}));
  if (taker.has("output.weight")) {
    TRY(taker.move("output.weight", "lm_head.weight", {config.vocab_size, hidden}));
  }
  for (int64_t layer = 0; layer < config.num_layers; ++layer) TRY(taker.move_layer(config, layer));
  TRY(taker.expect_none_left());
  for (const auto& [key, value] : file.values()) {
    if (value.text()) tensors.set_metadata(key, std::string(*value.text()));
  }
  for (MappedFile& part : file.release_files()) tensors.keep(std::move(part));
  return tensors;
}

}  // namespace levin::engine
