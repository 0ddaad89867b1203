// The text of a request: what the user typed, and how a profile dresses the first one.
#pragma once

#include <iosfwd>
#include <map>
#include <string>

#include "agent/profile.h"
#include "base/result.h"

namespace levin::agent {

// `task` itself, or all of `input` for "-". Errors: kInvalidArgument when it is empty, too long or
// not UTF-8.
Result<std::string> request_text(const std::string& task, std::istream& input);

// The first user turn. A profile with a first_user template gets the folder's name, AGENTS.md of
// the workspace (cut at 16 KB) and the task; one without it gets the task alone. Errors: an
// undefined variable in the template.
Result<std::string> first_user_text(const Profile& profile, const std::string& workspace,
                                    const std::string& task);

// Replaces each {{name}}. Errors: kCorrupt naming a variable that is not defined.
Result<std::string> fill_template(const std::string& text,
                                  const std::map<std::string, std::string>& values);

}  // namespace levin::agent
