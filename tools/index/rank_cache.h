// The ranks of the last call, as a start for the next one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/index/folder_record.h"

namespace levin::tools {

std::string encode_ranks(const std::vector<FolderRecord>& folders, const std::vector<float>& ranks);

// By path: new files begin with zero. Bytes that make no sense give zeros, which only cost time.
std::vector<float> decode_ranks(const std::vector<FolderRecord>& folders, std::string_view bytes);

}  // namespace levin::tools
