#include "agent/folder_snapshot.h"

#include <filesystem>

#include "base/file_io.h"

namespace levin::agent {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFilesMax = 2'000;
constexpr size_t kBytesMax = size_t{64} << 20;

}  // namespace

Result<FolderSnapshot> take_snapshot(const std::string& folder) {
  FolderSnapshot snapshot;
  size_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  if (error) return Error(ErrorCode::kIo, folder + ": " + error.message());
  for (; entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (error) return Error(ErrorCode::kIo, folder + ": " + error.message());
    if (entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_symlink(error) || !entry->is_regular_file(error)) continue;
    TRY_ASSIGN(std::string content, read_file(entry->path().string(), kBytesMax));
    bytes += content.size();
    if (bytes > kBytesMax || snapshot.size() == kFilesMax) {
      return Error(ErrorCode::kLimit, folder + ": too much for an app: at most 2000 files and 64 MiB");
    }
    snapshot[fs::relative(entry->path(), folder, error).string()] = std::move(content);
  }
  return snapshot;
}

Result<void> restore_snapshot(tools::Workspace& workspace, const FolderSnapshot& snapshot) {
  TRY_ASSIGN(const FolderSnapshot now, take_snapshot(workspace.root()));
  for (const auto& [path, content] : now) {
    const auto wanted = snapshot.find(path);
    if (wanted == snapshot.end()) {
      TRY(workspace.remove(path, content));
    } else if (wanted->second != content) {
      TRY(workspace.store(path, wanted->second, &content));
      workspace.note_seen(path, wanted->second);
    }
  }
  for (const auto& [path, content] : snapshot) {
    if (now.contains(path)) continue;
    TRY(workspace.store(path, content, nullptr));
    workspace.note_seen(path, content);
  }
  return {};
}

}  // namespace levin::agent
