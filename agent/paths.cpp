#include "agent/paths.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace levin::agent {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::string> home_folder() {
  std::string home = variable("HOME");
  if (home.starts_with('/')) return home;
  const passwd* entry = ::getpwuid(::getuid());
  if (entry != nullptr && entry->pw_dir != nullptr && entry->pw_dir[0] == '/') {
    return std::string(entry->pw_dir);
  }
  return Error(ErrorCode::kNotFound,
               "no home folder: HOME is not set and the user has none; set LEVIN_HOME");
}

Result<std::string> folder(const char* part, const char* xdg_variable, const char* under_home) {
  const std::string levin_home = variable("LEVIN_HOME");
  if (!levin_home.empty()) {
    if (!levin_home.starts_with('/')) {
      return Error(ErrorCode::kInvalidArgument,
                   "LEVIN_HOME must be an absolute path, found \"" + levin_home + "\"");
    }
    return levin_home + "/" + part;
  }
  // The XDG specification says that relative paths in its variables are to be ignored.
  const std::string xdg = variable(xdg_variable);
  if (xdg.starts_with('/')) return xdg + "/levin";
  TRY_ASSIGN(const std::string home, home_folder());
  return home + "/" + under_home + "/levin";
}

}  // namespace

Result<std::string> state_folder() {
  return folder("state", "XDG_STATE_HOME", ".local/state");
}
Result<std::string> cache_folder() {
  return folder("cache", "XDG_CACHE_HOME", ".cache");
}
Result<std::string> config_folder() {
  return folder("config", "XDG_CONFIG_HOME", ".config");
}

Result<std::string> sessions_folder() {
  TRY_ASSIGN(const std::string state, state_folder());
  return state + "/sessions";
}

Result<std::string> session_folder(const std::string& session_id) {
  // The id may come from a command line: it must not lead out of the folder.
  const auto is_plain = [](unsigned char byte) { return std::isalnum(byte) != 0 || byte == '-'; };
  if (session_id.empty() || !std::all_of(session_id.begin(), session_id.end(), is_plain)) {
    return Error(ErrorCode::kInvalidArgument,
                 "a session id looks like 20261124-101500-ab12cd, found \"" + session_id + "\"");
  }
  TRY_ASSIGN(const std::string sessions, sessions_folder());
  return sessions + "/" + session_id;
}

}  // namespace levin::agent
