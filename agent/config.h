// config.toml of the user and of the project (docs/formats/config.md): what a run does when the
// command line does not say otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace levin::agent {

struct Config {
  std::string test_command;  // Empty: found in the work tree.
  bool test_after_edits = false;
  std::vector<std::string> protect;  // Further protected paths; those of both files hold.
};

// Puts the keys of one file over *config. Errors: kInvalidArgument naming file, line and what was
// expected; unknown keys are errors.
Result<void> apply_config(std::string_view text, const std::string& file, Config* config);

// The user's file, then the project's, `.levin/config.toml` in the work tree; either may be
// missing. Errors: as apply_config(); kIo.
Result<Config> load_config(const std::string& work_tree);

}  // namespace levin::agent
