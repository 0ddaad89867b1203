#include "agent/git_workspace.h"

#include <cstdlib>
#include <filesystem>

#include "agent/git_handles.h"

namespace levin::agent {
namespace {

std::string content_hash(const std::string& path) {
  git_oid id;
  char text[GIT_OID_HEXSZ + 1];
  if (git_odb_hashfile(&id, path.c_str(), GIT_OBJECT_BLOB) != 0) return "";
  return git_oid_tostr(text, sizeof text, &id);
}

// Folders that hold much more than one piece of work: a command that may write there could do harm.
bool is_too_wide(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(folder, error);
  const char* const home = std::getenv("HOME");
  if (real == real.root_path()) return true;
  return home != nullptr && std::filesystem::equivalent(real, home, error);
}

}  // namespace

std::string git_reason() {
  const git_error* error = git_error_last();
  return error != nullptr && error->message != nullptr ? error->message : "unknown reason";
}

Result<GitRepository> open_git_repository(const std::string& folder) {
  git_repository* raw = nullptr;
  const int code = git_repository_open_ext(&raw, folder.c_str(), 0, nullptr);
  if (code == 0) return GitRepository(raw);
  const std::string reason = git_reason();
  if (code == GIT_ENOTFOUND) {
    return Error(ErrorCode::kInvalidArgument,
                 folder + " is not in a git repository (" + reason +
                     "), and is the root or home folder, which levin does not take as a whole; "
                     "go to a project's folder, or make a repository with: git init");
  }
  if (reason.find("objectformat") != std::string::npos) {
    return Error(ErrorCode::kUnsupported,
                 folder +
                     " is in a git repository with sha256 object names "
                     "(extensions.objectFormat), which levin cannot read; it needs sha1");
  }
  return Error(ErrorCode::kInvalidArgument,
               "cannot open the git repository of " + folder + ": " + reason);
}

bool is_in_repository(const std::string& folder) {
  const GitLibrary library;
  const int code = git_repository_open_ext(nullptr, folder.c_str(), 0, nullptr);
  return code != GIT_ENOTFOUND;
}

Result<std::string> find_work_tree(const std::string& folder) {
  const GitLibrary library;
  if (!is_in_repository(folder) && !is_too_wide(folder)) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(folder, error);
    if (error) return Error(ErrorCode::kIo, folder + ": " + error.message());
    return real.string();
  }
  TRY_ASSIGN(const GitRepository repository, open_git_repository(folder));
  const char* work_tree = git_repository_workdir(repository.get());
  if (work_tree == nullptr) {
    return Error(ErrorCode::kInvalidArgument,
                 folder + " is a bare git repository; levin needs one with a work tree");
  }
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(work_tree, error);
  if (error) return Error(ErrorCode::kIo, std::string(work_tree) + ": " + error.message());
  return real.string();
}

Result<std::map<std::string, std::string>> changed_files(const std::string& work_tree) {
  const GitLibrary library;
  TRY_ASSIGN(const GitRepository repository, open_git_repository(work_tree));
  git_status_options options = GIT_STATUS_OPTIONS_INIT;
  options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS |
                  GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
  git_status_list* raw = nullptr;
  if (git_status_list_new(&raw, repository.get(), &options) != 0) {
    return Error(ErrorCode::kIo,
                 "cannot read the git status of " + work_tree + ": " + git_reason());
  }
  const GitStatusList list(raw);
  std::map<std::string, std::string> files;
  for (size_t index = 0; index < git_status_list_entrycount(list.get()); ++index) {
    const git_status_entry* entry = git_status_byindex(list.get(), index);
    const git_diff_delta* delta =
        entry->index_to_workdir != nullptr ? entry->index_to_workdir : entry->head_to_index;
    const std::string path = delta->new_file.path;
    files[path] = content_hash(work_tree + "/" + path);
  }
  return files;
}

std::string short_content_id(std::string_view content) {
  constexpr size_t kDigits = 8;
  const GitLibrary library;
  git_oid id;
  if (git_odb_hash(&id, content.data(), content.size(), GIT_OBJECT_BLOB) != 0) return "";
  char digits[kDigits + 1];
  git_oid_tostr(digits, sizeof digits, &id);
  return digits;
}

}  // namespace levin::agent
