// RFC 4648, for the bodies and pictures of the debugging protocol.
#pragma once

#include <string>
#include <string_view>

namespace levin::tools::web {

std::string base64(std::string_view bytes);

// Stops at the first byte that does not belong.
std::string base64_decoded(std::string_view text);

}  // namespace levin::tools::web
