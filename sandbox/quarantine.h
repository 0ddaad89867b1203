// Moves what a command made in the place of a protected path out of the workspace, where no program
// outside of the sandbox acts on it. Nothing is deleted.
#pragma once

#include <string>

#include "base/result.h"

namespace levin::sandbox {

inline constexpr int64_t kQuarantineCopyBytesMax = int64_t{256} << 20;

// Moves `relative` (below the absolute folder `workspace`) into a new folder below `quarantine`,
// beside a file ORIGIN that holds its path, and returns its new place. Never follows a link in
// `relative`. Across file systems it is copied, up to kQuarantineCopyBytesMax, then removed.
// Errors: kNotFound when it is gone; kIo, kLimit: it is still there.
Result<std::string> move_to_quarantine(const std::string& workspace, const std::string& relative,
                                       const std::string& quarantine);

}  // namespace levin::sandbox
