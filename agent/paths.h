// Where levin keeps its own files (XDG base directories). LEVIN_HOME puts all three under one
// folder.
#pragma once

#include <string>

#include "base/result.h"

namespace levin::agent {

// Absolute paths; nothing is created. Errors: kInvalidArgument for a LEVIN_HOME that is not
// absolute, kNotFound when no variable leads anywhere and the user has no home folder.
Result<std::string> state_folder();   // Sessions. $LEVIN_HOME/state, ~/.local/state/levin
Result<std::string> cache_folder();   // Stored prefixes. $LEVIN_HOME/cache, ~/.cache/levin
Result<std::string> config_folder();  // Configuration. $LEVIN_HOME/config, ~/.config/levin

// state_folder()/sessions, and the folder of one session in it. Errors: those above;
// kInvalidArgument for an id with anything but letters, digits and dashes.
Result<std::string> sessions_folder();
Result<std::string> session_folder(const std::string& session_id);

}  // namespace levin::agent
