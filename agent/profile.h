// A prompt profile: the system text and the tool lines that a model is shown. Data in prompts/.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace levin::agent {

struct Profile {
  std::string name;
  std::string system_text;
  std::vector<std::string> tool_lines;  // One JSON object each, exactly as shown to the model.
  std::string
      first_user;  // Template of the first user turn (agent/request.h); empty: the task alone.
  bool checks_syntax = false;  // Results of edits name the syntax errors that they made.
};

// Reads <data folder>/prompts/<name>/{system.txt,tools.jsonl} and, where there is one,
// first_user.txt and options.json. Errors: kNotFound naming the profile
// and those that exist; kCorrupt for a tool line that is not an object with a name,
// or for options that are not known.
Result<Profile> load_profile(const std::string& data_folder, const std::string& name);

// Where the build or the installation put models/ and prompts/: ../share/levin beside the folder of
// the running program. Errors: kNotFound naming the folder that was looked for.
Result<std::string> find_data_folder();

}  // namespace levin::agent
