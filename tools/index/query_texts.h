// The texts of queries/*.scm, put into the program by the build.
#pragma once

#include <string_view>

namespace levin::tools {

// `name`: the file's name without its end. Empty when there is none.
std::string_view query_text(std::string_view name);

}  // namespace levin::tools
