// What a web server answers for a path, apart from sockets.
#pragma once

#include <string>
#include <string_view>

#include "tools/workspace.h"

namespace levin::tools::web {

inline constexpr size_t kServedBytesMax = size_t{64} << 20;

struct FileAnswer {
  int status = 200;  // 200, 403, 404 or 413.
  std::string type;  // MIME.
  std::string body;
};

// `path` comes from a request: percent-encoded, without query, relative to the folder. A folder is
// its index.html. Nothing outside of the folder and no hidden file is ever answered.
FileAnswer answer_file(const Workspace& folder, std::string_view path);

// By the name's ending; "application/octet-stream" for an unknown one.
std::string mime_type(std::string_view path);

// Absent parts of %XX are an error: then empty is returned and `ok` is false.
std::string percent_decoded(std::string_view text, bool* ok);

}  // namespace levin::tools::web
