#include "agent/config.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <sstream>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "agent/paths.h"
#include "base/file_io.h"
#include "tools/workspace.h"

namespace levin::agent {
namespace {

constexpr size_t kConfigBytesMax = size_t{1} << 20;
constexpr const char* kProjectFile = ".levin/config.toml";

Error fail(const std::string& file, const toml::source_region& place, std::string_view what) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{}:{}: {}", file, place.begin.line, what));
}

// Paths below the workspace, as they would be typed: no "..", no leading "/".
bool is_plain_path(const std::string& path) {
  const std::filesystem::path parts = path;
  return !path.empty() && path.find('\0') == std::string::npos && !parts.is_absolute() &&
         parts.lexically_normal() == parts && path != "." && *parts.begin() != ".." &&
         !path.ends_with('/');
}

Result<void> add_protected(const toml::node& value, const std::string& file, Config* config) {
  const toml::array* list = value.as_array();
  if (list == nullptr) return fail(file, value.source(), "protect must be a list of paths");
  for (const toml::node& item : *list) {
    const std::optional<std::string> path = item.value_exact<std::string>();
    if (!path || !is_plain_path(*path)) {
      return fail(file, item.source(), "protect: expected paths relative to the workspace");
    }
    config->protect.push_back(*path);
  }
  return {};
}

Result<void> apply_file(const Result<std::string>& text, const std::string& file, Config* config) {
  if (text) return apply_config(*text, file, config);
  if (text.error().code() == ErrorCode::kNotFound) return {};
  return text.error();
}

}  // namespace

Result<void> apply_config(std::string_view text, const std::string& file, Config* config) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) return fail(file, parsed.error().source(), parsed.error().description());
  for (const auto& [key, value] : parsed.table()) {
    if (key == "test_command") {
      const std::optional<std::string> command = value.value_exact<std::string>();
      if (!command || command->find('\0') != std::string::npos) {
        return fail(file, value.source(), "test_command must be a string without NUL bytes");
      }
      config->test_command = *command;
    } else if (key == "test_after_edits") {
      const std::optional<bool> wanted = value.value_exact<bool>();
      if (!wanted) return fail(file, value.source(), "test_after_edits must be true or false");
      config->test_after_edits = *wanted;
    } else if (key == "protect") {
      TRY(add_protected(value, file, config));
    } else {
      return fail(
          file, value.source(),
          fmt::format("unknown key \"{}\" (there are test_command, test_after_edits and protect)",
                      key.str()));
    }
  }
  return {};
}

Result<Config> load_config(const std::string& work_tree) {
  Config config;
  TRY_ASSIGN(const std::string folder, config_folder());
  const std::string user = folder + "/config.toml";
  TRY(apply_file(read_file(user, kConfigBytesMax), user, &config));
  // Through the workspace: a link in the project must not make us read elsewhere.
  TRY_ASSIGN(const tools::Workspace workspace, tools::Workspace::open(work_tree));
  const Result<tools::FileData> project = workspace.load(kProjectFile, kConfigBytesMax);
  if (project) {
    TRY(apply_config(project->content, work_tree + "/" + kProjectFile, &config));
  } else if (project.error().code() != ErrorCode::kNotFound) {
    return project.error();
  }
  return config;
}

}  // namespace levin::agent
