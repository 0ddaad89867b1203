// How the tests of a workspace are run, found from the files at its root, and what their output
// says in short.
#pragma once

#include <string>
#include <string_view>

#include "tools/workspace.h"

namespace levin::tools {

inline constexpr size_t kFailureLinesMax = 40;

// A shell command; empty when the files tell of none. The first that fits, in this order: a `test`
// target of a Makefile, the `test` script of package.json, Cargo.toml, go.mod, CMake (a test
// preset, else a built tree), pytest or unittest.
std::string find_test_command(const Workspace& workspace);

// The lines of `output` that tell of failures, then those that count; empty when there are none.
std::string test_summary(std::string_view output);

}  // namespace levin::tools
