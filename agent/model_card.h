// levin.json of a model folder: which prompt profile the model knows and how it wants to be
// sampled. Read strictly: an unknown key or a wrong type is an error. Without the file the defaults
// hold. Of a GGUF file NAME.gguf it is NAME.levin.json.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace levin::agent {

struct ModelCard {
  std::string name;              // Empty: no levin.json.
  std::string profile = "core";  // Folder in prompts/.
  std::string notes;             // One line for the user.
  std::string precision;         // "exact" or "native"; empty: the model does not say.
  double temperature = 1.0;      // The published setting of MiniMax-M1.
  double top_p = 0.95;
  double retry_temperature = 1.0;  // For attempts after a failed one.
  int64_t retries = 0;             // How many such attempts the model's figures were measured with.
  int64_t max_tokens = 40960;      // Per reply; M1-40k's thinking budget.
};

// Errors: kCorrupt naming the key, what was expected and what was found.
Result<ModelCard> parse_model_card(const std::string& json_text, const std::string& file_name);
// A missing file is not an error.
Result<ModelCard> load_model_card(const std::string& model_folder);

}  // namespace levin::agent
