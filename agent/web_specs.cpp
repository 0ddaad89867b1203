#include "agent/web_specs.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "agent/profile.h"
#include "base/file_io.h"

namespace levin::agent {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSpecBytesMax = 1 << 20;

std::string shipped_names(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

Result<tools::WebSpec> load_web_spec(const std::string& accept) {
  TRY_ASSIGN(const std::string data, find_data_folder());
  const std::string folder = data + "/prompts/web/specs";
  std::string path = accept;
  std::error_code ignored;
  const bool is_name = accept.find('/') == std::string::npos && accept.find('.') == std::string::npos;
  if (is_name && fs::is_regular_file(folder + "/" + accept + ".json", ignored)) {
    path = folder + "/" + accept + ".json";
  }
  const Result<std::string> text = read_file(path, kSpecBytesMax);
  if (!text) {
    return Error(text.error().code(), "--accept " + accept + ": no such file, and the shipped " +
                                          "specifications are " + shipped_names(folder));
  }
  return tools::parse_web_spec(*text, path);
}

}  // namespace levin::agent
