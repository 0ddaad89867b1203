#include "agent/profile.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file_io.h"

namespace levin::agent {

namespace {

// options.json: {"checks_syntax": true}.
Result<void> read_options(const std::string& path, Profile& profile) {
  if (!std::filesystem::exists(path)) return {};
  TRY_ASSIGN(const std::string text, read_file(path, 1 << 20));
  const auto options = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const bool is_known = options.is_object() && options.size() == 1 &&
                        options.contains("checks_syntax") && options["checks_syntax"].is_boolean();
  if (!is_known) {
    return Error(ErrorCode::kCorrupt, path + R"(: expected {"checks_syntax": true or false})");
  }
  profile.checks_syntax = options["checks_syntax"].get<bool>();
  return {};
}

}  // namespace

Result<Profile> load_profile(const std::string& data_folder, const std::string& name) {
  const std::string folder = data_folder + "/prompts/" + name;
  if (name.empty() || name.find('/') != std::string::npos ||
      !std::filesystem::is_directory(folder)) {
    std::string known;
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::directory_iterator(data_folder + "/prompts", ignored)) {
      if (entry.is_directory())
        known += (known.empty() ? "" : ", ") + entry.path().filename().string();
    }
    return Error(ErrorCode::kNotFound,
                 fmt::format("no prompt profile '{}'; there are: {}", name, known));
  }
  Profile profile;
  profile.name = name;
  TRY_ASSIGN(profile.system_text, read_file(folder + "/system.txt", 1 << 20));
  while (!profile.system_text.empty() && profile.system_text.back() == '\n')
    profile.system_text.pop_back();
  Result<std::string> first_user = read_file(folder + "/first_user.txt", 1 << 20);
  if (first_user) profile.first_user = *first_user;
  TRY(read_options(folder + "/options.json", profile));
  TRY_ASSIGN(const std::string lines, read_file(folder + "/tools.jsonl", 1 << 20));
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = std::min(lines.find('\n', begin), lines.size());
    const std::string line = lines.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    const auto tool = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!tool.is_object() || !tool.contains("name")) {
      return Error(ErrorCode::kCorrupt,
                   folder + "/tools.jsonl: not an object with a name: " + line.substr(0, 80));
    }
    profile.tool_lines.push_back(line);
  }
  return profile;
}

Result<std::string> find_data_folder() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return Error(ErrorCode::kIo, "cannot find the running program: " + error.message());
  const std::filesystem::path folder = program.parent_path().parent_path() / "share" / "levin";
  if (!std::filesystem::is_directory(folder / "prompts")) {
    return Error(ErrorCode::kNotFound, "no data folder at " + folder.string() +
                                           " (prompts and the embedded model belong there)");
  }
  return folder.string();
}

}  // namespace levin::agent
