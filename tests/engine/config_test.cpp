// config.json: every key, its default, its bounds, and messages that name key, expectation and
// finding.
#include "engine/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file_io.h"

namespace levin::engine {
namespace {

using nlohmann::json;

json minimal() {
  return {{"model_type", "minimax_m1"}, {"num_hidden_layers", 3}, {"attn_type_list", {0, 1, 0}}};
}

// The message of the error that `text` must give.
std::string failure(const std::string& text, ErrorCode code = ErrorCode::kCorrupt) {
  const Result<ModelConfig> config = parse_config(text, "some/config.json");
  EXPECT_FALSE(config) << text.substr(0, 200);
  if (config) return "";
  EXPECT_EQ(config.error().code(), code) << config.error().message();
  EXPECT_NE(config.error().message().find("some/config.json"), std::string::npos);
  EXPECT_LT(config.error().message().size(), 400u);
  return config.error().message();
}

void expect_refused(const std::string& key, const json& value, const std::string& found) {
  json object = minimal();
  object[key] = value;
  const std::string message = failure(object.dump());
  EXPECT_NE(message.find("'" + key + "'"), std::string::npos) << message;
  EXPECT_NE(message.find("expected"), std::string::npos) << message;
  EXPECT_NE(message.find(found), std::string::npos) << message << "\nshould name " << found;
}

TEST(Config, DefaultsAreThoseOfThePublishedClass) {
  json object;
  object["attn_type_list"] = std::vector<int>(32, 0);
  const Result<ModelConfig> config = parse_config(object.dump(), "c");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture, "");
  EXPECT_EQ(config->vocab_size, 32000);
  EXPECT_EQ(config->hidden_size, 4096);
  EXPECT_EQ(config->num_layers, 32);
  EXPECT_EQ(config->num_heads, 32);
  EXPECT_EQ(config->num_kv_heads, 8);
  EXPECT_EQ(config->head_dim, 128);
  EXPECT_EQ(config->rotary_dim, 128);
  EXPECT_EQ(config->rope_theta, 1e6);
  EXPECT_EQ(config->intermediate_size, 14336);
  EXPECT_EQ(config->num_experts, 8);
  EXPECT_EQ(config->num_experts_per_token, 2);
  EXPECT_EQ(config->shared_intermediate_size, 0);
  EXPECT_EQ(config->rms_norm_eps, 1e-5f);
  EXPECT_EQ(config->linear_norm_eps, 1e-6f);
  EXPECT_FALSE(config->postnorm);
  EXPECT_FALSE(config->tie_word_embeddings);
  for (const ResidualScale& scale : {config->linear_scale, config->full_scale, config->mlp_scale}) {
    EXPECT_EQ(scale.alpha, 1);
    EXPECT_EQ(scale.beta, 1);
  }
  EXPECT_EQ(config->max_position_embeddings, 4096 * 32);
  EXPECT_EQ(config->eos_token_id, -1);
  EXPECT_EQ(config->num_linear_layers(), 32);
}

TEST(Config, EveryKeyIsRead) {
  const json object = {{"architectures", {"MiniMaxM1ForCausalLM", "other"}},
                       {"model_type", "minimax_text_01"},
                       {"vocab_size", 11},
                       {"hidden_size", 24},
                       {"num_hidden_layers", 2},
                       {"attn_type_list", {1, 0}},
                       {"num_attention_heads", 6},
                       {"num_key_value_heads", 3},
                       {"head_dim", 10},
                       {"rotary_dim", 4},
                       {"rope_theta", 5e5},
                       {"intermediate_size", 7},
                       {"num_local_experts", 5},
                       {"num_experts_per_tok", 4},
                       {"shared_intermediate_size", 9},
                       {"rms_norm_eps", 1e-3},
                       {"postnorm", true},
                       {"tie_word_embeddings", true},
                       {"max_position_embeddings", 10240000},
                       {"layernorm_linear_attention_alpha", 1.5},
                       {"layernorm_linear_attention_beta", 2.5},
                       {"layernorm_full_attention_alpha", 3.5},
                       {"layernorm_full_attention_beta", 4.5},
                       {"layernorm_mlp_alpha", 5.5},
                       {"layernorm_mlp_beta", 6},
                       {"eos_token_id", 10},
                       {"hidden_act", "silu"},
                       {"sliding_window", nullptr},
                       {"some_later_key", {{"is", "ignored"}}}};
  const Result<ModelConfig> config = parse_config(object.dump(), "c");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture, "MiniMaxM1ForCausalLM");
  EXPECT_EQ(config->vocab_size, 11);
  EXPECT_EQ(config->hidden_size, 24);
  EXPECT_EQ(config->attention_kinds,
            (std::vector<AttentionKind>{AttentionKind::kSoftmax, AttentionKind::kLightning}));
  EXPECT_EQ(config->num_linear_layers(), 1);
  EXPECT_EQ(config->num_heads, 6);
  EXPECT_EQ(config->num_kv_heads, 3);
  EXPECT_EQ(config->head_dim, 10);
  EXPECT_EQ(config->attention_size(), 60);
  EXPECT_EQ(config->rotary_dim, 4);
  EXPECT_EQ(config->rope_theta, 5e5);
  EXPECT_EQ(config->intermediate_size, 7);
  EXPECT_EQ(config->num_experts, 5);
  EXPECT_EQ(config->num_experts_per_token, 4);
  EXPECT_EQ(config->shared_intermediate_size, 9);
  EXPECT_EQ(config->rms_norm_eps, 1e-3f);
  EXPECT_EQ(config->linear_norm_eps, 1e-6f) << "fixed, whatever rms_norm_eps says";
  EXPECT_TRUE(config->postnorm);
  EXPECT_TRUE(config->tie_word_embeddings);
  EXPECT_EQ(config->max_position_embeddings, 10240000);
  EXPECT_EQ(config->linear_scale.alpha, 1.5f);
  EXPECT_EQ(config->linear_scale.beta, 2.5f);
  EXPECT_EQ(config->full_scale.alpha, 3.5f);
  EXPECT_EQ(config->full_scale.beta, 4.5f);
  EXPECT_EQ(config->mlp_scale.alpha, 5.5f);
  EXPECT_EQ(config->mlp_scale.beta, 6.0f);
  EXPECT_EQ(config->eos_token_id, 10);
}

TEST(Config, AGoldenFileWithMostlyDefaults) {
  const Result<ModelConfig> config = load_config(
      std::string(LEVIN_SOURCE_DIR) + "/tests/golden/minimax_m1/prenorm_defaults/config.json");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->hidden_size, 64);
  EXPECT_EQ(config->num_heads, 4);
  EXPECT_EQ(config->num_kv_heads, 2);
  EXPECT_EQ(config->head_dim, 16) << "hidden_size / num_heads";
  EXPECT_EQ(config->rotary_dim, 16) << "head_dim";
  EXPECT_EQ(config->rope_theta, 10000);
  EXPECT_EQ(config->rms_norm_eps, 1e-6f);
  EXPECT_FALSE(config->postnorm);
  EXPECT_EQ(config->mlp_scale.alpha, 1);
  EXPECT_EQ(config->num_linear_layers(), 2);
  EXPECT_EQ(config->eos_token_id, -1) << "null";
}

TEST(Config, NullsMeanDefaultsAndNullKvHeadsMeanAllHeads) {
  json object = minimal();
  for (const char* key : {"vocab_size", "head_dim", "rotary_dim", "rope_theta", "postnorm",
                          "eos_token_id", "layernorm_mlp_alpha", "num_key_value_heads"}) {
    object[key] = nullptr;
  }
  object["num_attention_heads"] = 16;
  const Result<ModelConfig> config = parse_config(object.dump(), "c");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->num_kv_heads, 16);
  EXPECT_EQ(config->vocab_size, 32000);
  EXPECT_EQ(config->head_dim, 256);
  EXPECT_EQ(config->rope_theta, 1e6);
}

struct WholeKey {
  const char* key;
  int64_t least;
  int64_t most;
};

constexpr int64_t kWide = int64_t{1} << 24;

constexpr WholeKey kWholeKeys[] = {{"vocab_size", 1, kWide},
                                   {"hidden_size", 1, kWide},
                                   {"num_hidden_layers", 1, 4096},
                                   {"num_attention_heads", 1, kWide},
                                   {"num_key_value_heads", 1, kWide},
                                   {"head_dim", 1, 65536},
                                   {"rotary_dim", 0, 65536},
                                   {"intermediate_size", 1, kWide},
                                   {"num_local_experts", 1, 65536},
                                   {"num_experts_per_tok", 1, 65536},
                                   {"shared_intermediate_size", 0, kWide},
                                   {"max_position_embeddings", 1, int64_t{1} << 40},
                                   {"eos_token_id", -1, kWide}};

TEST(Config, WholeNumbersOfTheWrongTypeOrRange) {
  for (const WholeKey& one : kWholeKeys) {
    expect_refused(one.key, one.least - 1, std::to_string(one.least - 1));
    expect_refused(one.key, one.most + 1, std::to_string(one.most + 1));
    expect_refused(one.key, INT64_MIN, std::to_string(INT64_MIN));
    expect_refused(one.key, INT64_MAX, std::to_string(INT64_MAX));
    expect_refused(one.key, UINT64_MAX, std::to_string(UINT64_MAX));
    expect_refused(one.key, 2.5, "2.5");
    expect_refused(one.key, 1e30, "1e+30");
    expect_refused(one.key, 4.0, "4.0");
    expect_refused(one.key, "64", "\"64\"");
    expect_refused(one.key, true, "true");
    expect_refused(one.key, json::array({1}), "[1]");
    expect_refused(one.key, json::object(), "an object");
  }
}

TEST(Config, RealsAndFlagsOfTheWrongTypeOrRange) {
  for (const char* key :
       {"rope_theta", "rms_norm_eps", "layernorm_linear_attention_alpha",
        "layernorm_linear_attention_beta", "layernorm_full_attention_alpha",
        "layernorm_full_attention_beta", "layernorm_mlp_alpha", "layernorm_mlp_beta"}) {
    expect_refused(key, "1.5", "\"1.5\"");
    expect_refused(key, false, "false");
    expect_refused(key, json::array({1.5}), "[1.5]");
    if (std::string(key) != "rope_theta") expect_refused(key, 1e39, "1e+39");  // Beyond float32.
  }
  for (const char* key : {"postnorm", "tie_word_embeddings"}) {
    expect_refused(key, 1, "1");
    expect_refused(key, "true", "\"true\"");
  }
  expect_refused("rope_theta", 0, "0");
  expect_refused("rope_theta", -10000, "-10000");
  expect_refused("rms_norm_eps", -1e-5, "-0.00001");
}

TEST(Config, RelationsBetweenKeys) {
  expect_refused("num_key_value_heads", 5, "5");
  expect_refused("num_key_value_heads", 64, "64");
  expect_refused("rotary_dim", 3, "3");
  expect_refused("rotary_dim", 130, "130");
  expect_refused("num_experts_per_tok", 9, "9");
  json object = minimal();
  object["num_attention_heads"] = 5000;  // More heads than hidden_size: no default head_dim.
  EXPECT_NE(failure(object.dump()).find("'head_dim'"), std::string::npos);
}

TEST(Config, TheListOfAttentionKinds) {
  json without = minimal();
  without.erase("attn_type_list");
  EXPECT_NE(failure(without.dump()).find("missing"), std::string::npos);
  const std::string key = "attn_type_list";
  expect_refused(key, nullptr, "missing");
  expect_refused(key, "010", "\"010\"");
  expect_refused(key, json::array(), "a list of 0");
  expect_refused(key, {0, 1}, "a list of 2");
  expect_refused(key, {0, 1, 0, 1}, "a list of 4");
  expect_refused(key, {0, 2, 0}, "2");
  expect_refused(key, {0, -1, 0}, "-1");
  expect_refused(key, {0, "1", 0}, "\"1\"");
  expect_refused(key, {0, true, 0}, "true");
  expect_refused(key, {0, json::array({1}), 0}, "[1]");
}

TEST(Config, RelativesAreRefusedByName) {
  const struct {
    const char* key;
    json value;
    std::string found;
  } cases[] = {{"model_type", "llama", "llama"},
               {"model_type", 5, "model_type"},
               {"hidden_act", "gelu", "gelu"},
               {"hidden_act", nullptr, "null"},
               {"sliding_window", 4096, "4096"},
               {"sliding_window", "x", "\"x\""},
               {"model_type", json::array(), "minimax_m1"}};
  for (const auto& one : cases) {
    json object = minimal();
    object[one.key] = one.value;
    const std::string message = failure(object.dump(), ErrorCode::kUnsupported);
    EXPECT_NE(message.find(one.key), std::string::npos) << message;
    EXPECT_NE(message.find(one.found), std::string::npos) << message;
  }
  for (const char* type :
       {"", "minimax_m1", "MiniMaxM1", "minimax_text_01", "MiniMaxText01", "minimax_text"}) {
    json object = minimal();
    object["model_type"] = type;
    EXPECT_TRUE(parse_config(object.dump(), "c")) << type;
  }
}

TEST(Config, WhatIsNotAJsonObject) {
  for (const char* text : {"", " ", "{", "nonsense", "{\"vocab_size\": 1,}",
                           "{\"vocab_size\": 1e999}", "{\"a\": \"\xFF\"}", "{} {}"}) {
    EXPECT_NE(failure(text).find("not JSON"), std::string::npos) << text;
  }
  EXPECT_NE(failure("[]").find("array"), std::string::npos);
  EXPECT_NE(failure("3").find("number"), std::string::npos);
  EXPECT_NE(failure("null").find("null"), std::string::npos);
}

// A million brackets at every place that a message or a copy might walk into.
TEST(Config, DeepJsonDoesNotEndTheStack) {
  const std::string deep = std::string(1000000, '[') + std::string(1000000, ']');
  failure(deep);
  failure(std::string(1000000, '['));
  for (const char* key : {"model_type", "hidden_act", "sliding_window"}) {
    failure("{\"" + std::string(key) + "\":" + deep + "}", ErrorCode::kUnsupported);
  }
  for (const char* key : {"vocab_size", "rope_theta", "postnorm", "attn_type_list"}) {
    failure("{\"" + std::string(key) + "\":" + deep + "}");
  }
  failure("{\"num_hidden_layers\":1,\"attn_type_list\":[" + deep + "]}");
  EXPECT_TRUE(parse_config(
      "{\"num_hidden_layers\":1,\"attn_type_list\":[0],\"architectures\":" + deep + "}", "c"));
}

TEST(Config, AnAbsentFileIsNotFound) {
  const Result<ModelConfig> config = load_config("/nonexistent/config.json");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code(), ErrorCode::kNotFound);
}

ModelConfig shaped(int64_t num_heads, int64_t num_layers) {
  ModelConfig config;
  config.num_heads = num_heads;
  config.num_layers = num_layers;
  return config;
}

void expect_slopes(const ModelConfig& config, int64_t layer, double factor,
                   const std::vector<double>& exponents) {
  const std::vector<float> rates = slope_rates(config, layer);
  ASSERT_EQ(rates.size(), exponents.size());
  for (size_t j = 0; j < rates.size(); ++j) {
    // Two roundings to float32: of the factor and of the product (the slopes are powers of two).
    EXPECT_NEAR(rates[j], std::exp2(exponents[j]) * factor, 2e-7 * std::exp2(exponents[j]) * factor)
        << "head " << j;
  }
}

TEST(SlopeRates, PowersOfTwo) {
  const std::vector<double> eight = {-1, -2, -3, -4, -5, -6, -7, -8};
  expect_slopes(shaped(8, 5), 0, 1 + 1e-5, eight);
  expect_slopes(shaped(8, 5), 1, 0.75 + 1e-5, eight);
  expect_slopes(shaped(8, 5), 4, 1e-5, eight);
  expect_slopes(shaped(1, 2), 0, 1 + 1e-5, {-8});
  expect_slopes(shaped(16, 2), 0, 1 + 1e-5,
                {-.5, -1, -1.5, -2, -2.5, -3, -3.5, -4, -4.5, -5, -5.5, -6, -6.5, -7, -7.5, -8});
}

TEST(SlopeRates, SixHeadsTakeFourAndThenEvenOnesOfEight) {
  expect_slopes(shaped(6, 3), 1, 0.5 + 1e-5, {-2, -4, -6, -8, -1, -3});
  expect_slopes(shaped(3, 3), 0, 1 + 1e-5, {-4, -8, -2});
}

TEST(SlopeRates, OneLayerHasTheFirstLayersFactor) {
  expect_slopes(shaped(4, 1), 0, 1 + 1e-5, {-2, -4, -6, -8});
}

// The published model: lambda 0.40 of the strongest head, 0.99995 of the weakest.
TEST(SlopeRates, OfTheFullModel) {
  EXPECT_NEAR(std::exp(-slope_rates(shaped(64, 80), 0).front()), 0.40, 0.005);
  EXPECT_NEAR(std::exp(-slope_rates(shaped(64, 80), 78).back()), 0.99995, 5e-6);
}

}  // namespace
}  // namespace levin::engine
