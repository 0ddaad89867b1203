// Which specification a web app is checked by: a shipped one by name, or a file.
#pragma once

#include <string>

#include "base/result.h"
#include "tools/web_spec.h"

namespace levin::agent {

// `accept` is a name of <data folder>/prompts/web/specs or a path. Errors: kNotFound naming the
// shipped ones, kCorrupt.
Result<tools::WebSpec> load_web_spec(const std::string& accept);

}  // namespace levin::agent
