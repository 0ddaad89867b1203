// What a web app must do, as data. The format: docs/formats/web_spec.md; shipped ones: prompts/web/.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace levin::tools {

struct WebCheck {
  std::string name;
  int width = 1280;
  int height = 800;
  int seed = 1;
  bool keep = false;  // Goes on with the page as the check before left it.
  std::vector<nlohmann::json> actions;
  std::vector<nlohmann::json> expectations;
};

struct WebSpec {
  std::string name;
  std::string about;
  std::vector<WebCheck> checks;
};

// Errors: kCorrupt naming the check and what is wrong with it.
Result<WebSpec> parse_web_spec(const std::string& text, const std::string& file);

// What any app must do, however little is known of it: loads without errors, fits two sizes, its
// controls have names and do something, and the nouns of `prompt` show on the page.
WebSpec derive_web_spec(const std::string& prompt);

}  // namespace levin::tools
