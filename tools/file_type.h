// What a binary file is, by its first bytes.
#pragma once

#include <string_view>

namespace levin::tools {

// "PNG image", "ELF" ...; "unknown type" when no known mark begins it.
std::string_view binary_type(std::string_view content);

}  // namespace levin::tools
