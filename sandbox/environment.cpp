// default_environment(): what of the caller's environment a command may see.
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "sandbox/plan.h"
#include "sandbox/policy.h"

namespace levin::sandbox {
namespace {

constexpr const char* kStandardPath[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                         "/usr/bin",        "/sbin",          "/bin"};

constexpr std::string_view kPassedNames[] = {
    "LANG", "LANGUAGE", "TERM",     "COLORTERM",        "TZ",
    "USER", "LOGNAME",  "NO_COLOR", "RUSTUP_TOOLCHAIN", "PYENV_VERSION"};

// Passed only when the folder they name can be seen inside.
constexpr std::string_view kPassedFolders[] = {"PYENV_ROOT", "CARGO_HOME", "RUSTUP_HOME", "NVM_DIR",
                                               "GOROOT",     "JAVA_HOME",  "CUDA_HOME"};

bool looks_secret(std::string_view name) {
  std::string upper(name);
  std::ranges::transform(upper, upper.begin(), [](unsigned char letter) {
    return static_cast<char>(std::toupper(letter));
  });
  return std::ranges::any_of(
      std::initializer_list<const char*>{"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "AUTH"},
      [&](const char* part) { return upper.find(part) != std::string::npos; });
}

Environment split(char* const* entries) {
  Environment variables;
  for (; entries != nullptr && *entries != nullptr; ++entries) {
    const std::string_view entry = *entries;
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    variables.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

std::string caller_home(const Environment& caller) {
  const std::string home = environment_value(caller, "HOME");
  if (home.starts_with('/') && home != "/") return home;
  const passwd* entry = ::getpwuid(::getuid());
  if (entry == nullptr || entry->pw_dir == nullptr) return "";
  const std::string from_table = entry->pw_dir;
  return from_table.starts_with('/') && from_table != "/" ? from_table : "";
}

// Folders that a path may lie in to mean something inside.
std::vector<std::string> visible_folders(const std::string& home) {
  std::vector<std::string> folders = {"/usr", "/bin", "/sbin", "/opt", "/nix/store"};
  for (const auto& [source, place] : toolchain_folders(home)) folders.push_back(place);
  return folders;
}

bool is_visible(const std::string& path, const std::vector<std::string>& folders) {
  if (path.find("..") != std::string::npos) return false;
  return std::ranges::any_of(folders,
                             [&](const std::string& folder) { return is_inside(path, folder); });
}

// Relative and empty entries go in every profile: they would run what lies in the workspace.
std::string clean_path(const std::string& path, const std::vector<std::string>* folders) {
  std::vector<std::string> kept;
  const auto keep = [&](const std::string& folder) {
    if (std::ranges::find(kept, folder) == kept.end()) kept.push_back(folder);
  };
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find(':', start), path.size());
    const std::string folder = path.substr(start, end - start);
    start = end + 1;
    if (!folder.starts_with('/')) continue;
    if (folders == nullptr || is_visible(folder, *folders)) keep(folder);
  }
  for (const char* folder : kStandardPath) keep(folder);
  std::string joined;
  for (const std::string& folder : kept) joined += (joined.empty() ? "" : ":") + folder;
  return joined;
}

}  // namespace

Environment default_environment(char* const* caller_environment, Profile profile) {
  const Environment caller = split(caller_environment);
  const bool off = profile == Profile::kOff;
  std::string home = caller_home(caller);
  const std::vector<std::string> folders = visible_folders(home);
  Environment result;
  result.emplace_back("PATH",
                      clean_path(environment_value(caller, "PATH"), off ? nullptr : &folders));
  result.emplace_back("HOME", home.empty() ? "/tmp" : home);
  result.emplace_back("TMPDIR", "/tmp");
  for (const auto& [name, value] : caller) {
    const bool plain =
        std::ranges::find(kPassedNames, name) != std::end(kPassedNames) || name.starts_with("LC_");
    const bool folder = std::ranges::find(kPassedFolders, name) != std::end(kPassedFolders) &&
                        (off || is_visible(value, folders));
    if ((plain || folder) && !looks_secret(name)) result.emplace_back(name, value);
  }
  if (environment_value(result, "LANG").empty()) result.emplace_back("LANG", "C.UTF-8");
  // A .pyc is trusted by its source's size and second: two quick edits would run the older code.
  result.emplace_back("PYTHONDONTWRITEBYTECODE", "1");
  result.emplace_back("PYTEST_ADDOPTS", "-p no:cacheprovider");
  result.emplace_back("GIT_CONFIG_NOSYSTEM", "1");
  return result;
}

}  // namespace levin::sandbox
