// The files that llama.cpp computed for tests/golden/gguf/logits.json, by name: "CASE-TYPE". Cases
// are `base_7to1` of tests/golden/minimax_m1 and `wide`, wide_model(2) of gguf_writer.h, whose rows
// fit blocks of 256. All carry the tokenizer tiny320_o200k, which llama.cpp insists on.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "tests/engine/gguf_writer.h"

namespace levin::engine {

inline std::vector<std::string> oracle_names() {
  return {"base_7to1-F32", "base_7to1-F16", "base_7to1-BF16", "wide-F32",  "wide-F16",
          "wide-BF16",     "wide-Q8_0",     "wide-Q4_0",      "wide-Q4_K", "wide-Q6_K"};
}

// Files with the weights of their BF16 twins in float32: there llama.cpp rounds no activations.
inline std::vector<std::string> widened_names() {
  return {"base_7to1-BF16_widened", "wide-BF16_widened"};
}

inline GgufContent oracle_file(const std::string& name) {
  const size_t dash = name.rfind('-');
  const std::string which = name.substr(0, dash);
  const PlainModel model = which == "wide" ? wide_model(2) : golden_model(which);
  GgufContent content = gguf_of(model, name.substr(dash + 1));
  std::ifstream file(std::string(LEVIN_SOURCE_DIR) +
                     "/tests/golden/tokenizer/tiny320_o200k/tokenizer.json");
  add_tokenizer(nlohmann::json::parse(file), "minimax-m2", 320, &content);
  content.set("tokenizer.ggml.eos_token_id", gguf_u32(315));
  return content;
}

}  // namespace levin::engine
