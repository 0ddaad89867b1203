#include "tests/engine/gguf_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <random>

#include "base/check.h"
#include "engine/safetensors.h"
#include "kernels/quant_blocks.h"
#include "tests/engine/block_encoders.h"

namespace levin::engine {
namespace {

using nlohmann::json;

template <typename Number>
std::string raw(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string raw_text(const std::string& text) {
  return raw(uint64_t{text.size()}) + text;
}

template <typename Number>
std::string value_of(GgufKind kind, Number value) {
  return raw(static_cast<uint32_t>(kind)) + raw(value);
}

std::string array_of(GgufKind element, size_t count) {
  return raw(static_cast<uint32_t>(GgufKind::kArray)) + raw(static_cast<uint32_t>(element)) +
         raw(uint64_t{count});
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK(file.good(), path);
}

float widened(const TensorInfo& info, size_t index) {
  if (info.dtype == "F32") {
    float value;
    std::memcpy(&value, info.data.data() + index * 4, sizeof value);
    return value;
  }
  uint16_t half;
  std::memcpy(&half, info.data.data() + index * 2, sizeof half);
  return std::bit_cast<float>(uint32_t{half} << 16);
}

}  // namespace

std::string gguf_u32(uint32_t value) {
  return value_of(GgufKind::kUint32, value);
}
std::string gguf_u64(uint64_t value) {
  return value_of(GgufKind::kUint64, value);
}
std::string gguf_f32(float value) {
  return value_of(GgufKind::kFloat32, value);
}
std::string gguf_bool(bool value) {
  return value_of(GgufKind::kBool, uint8_t{value});
}

std::string gguf_text(const std::string& value) {
  return raw(static_cast<uint32_t>(GgufKind::kString)) + raw_text(value);
}

std::string gguf_texts(const std::vector<std::string>& values) {
  std::string bytes = array_of(GgufKind::kString, values.size());
  for (const std::string& value : values) bytes += raw_text(value);
  return bytes;
}

std::string gguf_i32s(const std::vector<int32_t>& values) {
  std::string bytes = array_of(GgufKind::kInt32, values.size());
  for (const int32_t value : values) bytes += raw(value);
  return bytes;
}

std::string gguf_bools(const std::vector<bool>& values) {
  std::string bytes = array_of(GgufKind::kBool, values.size());
  for (const bool value : values) bytes += raw(uint8_t{value});
  return bytes;
}

void GgufContent::set(const std::string& key, const std::string& value) {
  for (auto& [name, bytes] : values) {
    if (name == key) {
      bytes = value;
      return;
    }
  }
  values.emplace_back(key, value);
}

void GgufContent::erase(const std::string& key) {
  std::erase_if(values, [&](const auto& one) { return one.first == key; });
}

GgufTensorBytes& GgufContent::tensor(const std::string& name) {
  for (auto& [key, one] : tensors) {
    if (key == name) return one;
  }
  return tensors.emplace_back(name, GgufTensorBytes{}).second;
}

std::string GgufContent::bytes() const {
  const auto pad = [this](std::string& text) {
    text.resize((text.size() + alignment - 1) / alignment * alignment, '\0');
  };
  std::string head =
      "GGUF" + raw(version) + raw(uint64_t{tensors.size()}) + raw(uint64_t{values.size()});
  for (const auto& [key, value] : values) head += raw_text(key) + value;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    head += raw_text(name) + raw(static_cast<uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) {
      head += raw(static_cast<uint64_t>(*size));
    }
    head += raw(tensor.type) + raw(uint64_t{data.size()});
    data += tensor.data;
    pad(data);
  }
  pad(head);
  return head + data;
}

void write_split(const GgufContent& content, const std::string& stem, size_t count) {
  for (size_t part = 0; part < count; ++part) {
    GgufContent one = content;
    if (part > 0) one.values.clear();
    const auto u16 = [](size_t value) {
      return value_of(GgufKind::kUint16, static_cast<uint16_t>(value));
    };
    one.set("split.no", u16(part));
    one.set("split.count", u16(count));
    one.set("split.tensors.count",
            value_of(GgufKind::kInt32, static_cast<int32_t>(content.tensors.size())));
    one.tensors.clear();
    for (size_t i = part; i < content.tensors.size(); i += count) {
      one.tensors.push_back(content.tensors[i]);
    }
    write_file(fmt::format("{}-{:05}-of-{:05}.gguf", stem, part + 1, count), one.bytes());
  }
}

uint32_t ggml_type(const std::string& dtype) {
  if (dtype == "BF16_widened") return ggml_type("F32");
  static const std::map<std::string, uint32_t> kNumbers = {
      {"F32", 0}, {"F16", 1}, {"Q4_0", 2}, {"Q8_0", 8}, {"Q4_K", 12}, {"Q6_K", 14}, {"BF16", 30}};
  return kNumbers.at(dtype);
}

PlainModel golden_model(const std::string& name) {
  return folder_model(std::string(LEVIN_SOURCE_DIR) + "/tests/golden/minimax_m1/" + name);
}

PlainModel folder_model(const std::string& folder) {
  PlainModel model;
  std::ifstream config(folder + "/config.json");
  model.config = json::parse(config);
  const Result<SafeTensors> files = SafeTensors::open_file(folder + "/model.safetensors");
  CHECK(files.has_value(), folder);
  for (const auto& [tensor, info] : files->tensors()) {
    std::vector<float> values(static_cast<size_t>(info.num_elements()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = widened(info, i);
    model.tensors[tensor] = {info.shape, std::move(values)};
  }
  return model;
}

namespace {

// Adds tensors of seeded weights: the same bits everywhere, since no library distribution is used.
class Builder {
 public:
  Builder(PlainModel& model, uint64_t seed) : model_(model), random_(seed) {}

  void matrix(const std::string& name, int64_t rows, int64_t cols) {
    // The sum of four uniform numbers, of variance 1 / cols times 2: close to normal.
    std::vector<float> values(static_cast<size_t>(rows * cols));
    const double scale = std::sqrt(2.0 * 12 / 4 / static_cast<double>(cols));
    for (float& value : values) value = static_cast<float>(scale * four());
    model_.tensors[name] = {{rows, cols}, std::move(values)};
  }

  void norm(const std::string& name, int64_t size) {
    std::vector<float> values(static_cast<size_t>(size));
    for (float& value : values) value = static_cast<float>(1 + 0.2 * four());
    model_.tensors[name] = {{size}, std::move(values)};
  }

 private:
  double four() {
    double sum = -2;
    for (int i = 0; i < 4; ++i) sum += static_cast<double>(random_() >> 11) * 0x1p-53;
    return sum;
  }

  PlainModel& model_;
  std::mt19937_64 random_;
};

}  // namespace

PlainModel wide_model(uint64_t seed) {
  PlainModel model = golden_model("eps_probe");
  model.tensors.clear();
  json& config = model.config;
  config["attn_type_list"] = {0, 1};
  // M1's weight of the residual: rounded activations then change no choice of experts.
  for (const char* block : {"linear_attention", "full_attention", "mlp"}) {
    config[fmt::format("layernorm_{}_alpha", block)] = 3.5565588200778455;
  }
  for (const auto& [key, value] : std::map<std::string, int>{{"num_hidden_layers", 2},
                                                             {"hidden_size", 256},
                                                             {"intermediate_size", 256},
                                                             {"num_attention_heads", 4},
                                                             {"num_key_value_heads", 2},
                                                             {"head_dim", 64},
                                                             {"rotary_dim", 32},
                                                             {"num_local_experts", 4},
                                                             {"num_experts_per_tok", 2}}) {
    config[key] = value;
  }
  Builder builder(model, seed);
  builder.matrix("model.embed_tokens.weight", 320, 256);
  builder.matrix("lm_head.weight", 320, 256);
  builder.norm("model.norm.weight", 256);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    const std::string attention = prefix + "self_attn.";
    builder.norm(prefix + "input_layernorm.weight", 256);
    builder.norm(prefix + "post_attention_layernorm.weight", 256);
    if (layer == 0) {
      builder.matrix(attention + "qkv_proj.weight", 768, 256);
      builder.matrix(attention + "output_gate.weight", 256, 256);
      builder.matrix(attention + "out_proj.weight", 256, 256);
      builder.norm(attention + "norm.weight", 256);
    } else {
      builder.matrix(attention + "q_proj.weight", 256, 256);
      builder.matrix(attention + "k_proj.weight", 128, 256);
      builder.matrix(attention + "v_proj.weight", 128, 256);
      builder.matrix(attention + "o_proj.weight", 256, 256);
    }
    builder.matrix(prefix + "block_sparse_moe.gate.weight", 4, 256);
    for (int e = 0; e < 4; ++e) {
      for (const char* name : {"w1", "w2", "w3"}) {
        builder.matrix(fmt::format("{}block_sparse_moe.experts.{}.{}.weight", prefix, e, name), 256,
                       256);
      }
    }
  }
  return model;
}

namespace {

// Published name of a layer's tensor -> GGUF name, without layer and ".weight".
const std::map<std::string, std::string> kLayerNames = {
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"block_sparse_moe.gate", "ffn_gate_inp"},
    {"self_attn.qkv_proj", "attn_qkv"},
    {"self_attn.output_gate", "attn_gate"},
    {"self_attn.out_proj", "attn_output"},
    {"self_attn.norm", "attn_norm_2"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
};

void add_keys(const json& config, GgufContent* content) {
  const auto key = [](const std::string& name) { return "minimax-01." + name; };
  const auto number = [&](const char* name) { return gguf_u32(config.at(name).get<uint32_t>()); };
  content->set("general.architecture", gguf_text("minimax-01"));
  content->set("general.name", gguf_text("levin golden"));
  content->set(key("block_count"), number("num_hidden_layers"));
  content->set(key("context_length"), number("max_position_embeddings"));
  content->set(key("embedding_length"), number("hidden_size"));
  content->set(key("feed_forward_length"), number("intermediate_size"));
  content->set(key("attention.head_count"), number("num_attention_heads"));
  content->set(key("attention.head_count_kv"), number("num_key_value_heads"));
  content->set(key("attention.key_length"), number("head_dim"));
  content->set(key("attention.value_length"), number("head_dim"));
  content->set(key("attention.layer_norm_rms_epsilon"),
               gguf_f32(config.at("rms_norm_eps").get<float>()));
  content->set(key("rope.dimension_count"), number("rotary_dim"));
  content->set(key("rope.freq_base"), gguf_f32(config.at("rope_theta").get<float>()));
  content->set(key("expert_count"), number("num_local_experts"));
  content->set(key("expert_used_count"), number("num_experts_per_tok"));
  content->set(key("residual_scale"), gguf_f32(config.at("layernorm_mlp_alpha").get<float>()));
  const auto kinds = config.at("attn_type_list").get<std::vector<int>>();
  const auto softmax = std::find(kinds.begin(), kinds.end(), 1);
  content->set(key("full_attention_interval"),
               gguf_u32(static_cast<uint32_t>(softmax - kinds.begin()) + 1));
}

}  // namespace

void add_tokenizer(const json& tokenizer, const std::string& pre, size_t vocab_size,
                   GgufContent* content) {
  std::vector<std::string> tokens(vocab_size);
  std::vector<int32_t> types(vocab_size, 5);
  const auto put = [&](size_t id, const std::string& text, int32_t type) {
    CHECK(id < vocab_size, id, vocab_size);
    tokens[id] = text;
    types[id] = type;
  };
  for (const auto& [text, id] : tokenizer.at("model").at("vocab").items()) put(id, text, 1);
  for (const json& one : tokenizer.at("added_tokens")) {
    put(one.at("id"), one.at("content"), one.at("special").get<bool>() ? 3 : 4);
  }
  for (size_t id = 0; id < vocab_size; ++id) {
    if (types[id] == 5) tokens[id] = fmt::format("[PAD{}]", id);
  }
  std::vector<std::string> merges;
  for (const json& merge : tokenizer.at("model").at("merges")) {
    merges.push_back(merge.is_string()
                         ? merge.get<std::string>()
                         : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  content->set("tokenizer.ggml.model", gguf_text("gpt2"));
  content->set("tokenizer.ggml.pre", gguf_text(pre));
  content->set("tokenizer.ggml.tokens", gguf_texts(tokens));
  content->set("tokenizer.ggml.token_type", gguf_i32s(types));
  content->set("tokenizer.ggml.merges", gguf_texts(merges));
}

GgufContent gguf_of(const PlainModel& model, const std::string& dtype) {
  return gguf_of(model, [&](const std::string&) { return dtype; });
}

GgufContent gguf_of(const PlainModel& model,
                    const std::function<std::string(const std::string& name)>& dtype_of) {
  GgufContent content;
  add_keys(model.config, &content);
  const auto put = [&](const std::string& name, std::vector<int64_t> shape,
                       const std::vector<float>& values) {
    const bool stays_plain = shape.size() == 1 || name.find("ffn_gate_inp") != std::string::npos;
    const std::string dtype = stays_plain ? "F32" : dtype_of(name);
    content.tensor(name) = {std::move(shape), ggml_type(dtype), encode_tensor(dtype, values)};
  };
  const auto plain = [&](const std::string& published, const std::string& name) {
    const auto& [shape, values] = model.tensors.at(published);
    put(name, shape, values);
  };
  plain("model.embed_tokens.weight", "token_embd.weight");
  plain("model.norm.weight", "output_norm.weight");
  plain("lm_head.weight", "output.weight");
  const auto layers = model.config.at("num_hidden_layers").get<int>();
  const auto experts = model.config.at("num_local_experts").get<int>();
  for (int layer = 0; layer < layers; ++layer) {
    const std::string from = fmt::format("model.layers.{}.", layer);
    const std::string to = fmt::format("blk.{}.", layer);
    for (const auto& [published, name] : kLayerNames) {
      if (!model.tensors.contains(from + published + ".weight")) continue;
      plain(from + published + ".weight", to + name + ".weight");
    }
    for (const auto& [published, name] : std::map<std::string, std::string>{
             {"w1", "ffn_gate_exps"}, {"w2", "ffn_down_exps"}, {"w3", "ffn_up_exps"}}) {
      std::vector<float> stack;
      std::vector<int64_t> shape = {experts};
      for (int e = 0; e < experts; ++e) {
        const auto& [one_shape, values] = model.tensors.at(
            fmt::format("{}block_sparse_moe.experts.{}.{}.weight", from, e, published));
        shape.resize(1);
        shape.insert(shape.end(), one_shape.begin(), one_shape.end());
        stack.insert(stack.end(), values.begin(), values.end());
      }
      put(to + name + ".weight", shape, stack);
    }
  }
  return content;
}

}  // namespace levin::engine
