// Landlock: the second wall, which needs no mount to be right.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace levin::sandbox {

// The interface version of this kernel; 0 when it has none or it is switched off.
int landlock_version();

// A rule set that allows reading and running everything, and changing files only below `folders`
// (those that do not exist are passed over). For landlock_restrict_self. Empty below version 2,
// which could not allow a file to be moved between folders. Errors: kIo.
Result<UniqueFd> make_landlock_rules(const std::vector<std::string>& folders);

}  // namespace levin::sandbox
