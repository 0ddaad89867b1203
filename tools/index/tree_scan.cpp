#include "tools/index/tree_scan.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "tools/file_tree.h"
#include "tools/index/languages.h"

namespace levin::tools {
namespace {

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// What one thread found. Files of a folder mostly come together.
class Findings {
 public:
  void add(const TreeFile& file, const FileStamp& stamp) {
    const size_t folder_size = file.path.size() - file.name.size();
    const std::string_view folder(file.path.data(), folder_size > 0 ? folder_size - 1 : 0);
    if (folders_.empty() || folders_.back().path != folder) {
      folders_.push_back({std::string(folder), {}});
    }
    folders_.back().files.push_back({file.name, stamp});
  }

  std::vector<ScannedFolder>& folders() { return folders_; }

 private:
  std::vector<ScannedFolder> folders_;
};

// Each folder once, everything in order.
std::vector<ScannedFolder> merged(std::vector<Findings>& findings) {
  std::vector<ScannedFolder> all;
  for (Findings& each : findings) {
    all.insert(all.end(), std::make_move_iterator(each.folders().begin()),
               std::make_move_iterator(each.folders().end()));
  }
  std::sort(all.begin(), all.end(),
            [](const ScannedFolder& a, const ScannedFolder& b) { return a.path < b.path; });
  std::vector<ScannedFolder> folders;
  for (ScannedFolder& folder : all) {
    if (folders.empty() || folders.back().path != folder.path) {
      folders.push_back(std::move(folder));
      continue;
    }
    std::vector<ScannedFile>& files = folders.back().files;
    files.insert(files.end(), std::make_move_iterator(folder.files.begin()),
                 std::make_move_iterator(folder.files.end()));
  }
  for (ScannedFolder& folder : folders) {
    std::sort(folder.files.begin(), folder.files.end(),
              [](const ScannedFile& a, const ScannedFile& b) { return a.name < b.name; });
  }
  return folders;
}

}  // namespace

Result<TreeScan> scan_tree(const Workspace& workspace, unsigned thread_count,
                           const std::atomic<bool>* interrupted) {
  std::atomic<size_t> file_count{0};
  ParallelOptions options;
  options.num_threads = static_cast<int>(thread_count);
  options.interrupted = interrupted;
  std::vector<Findings> findings(static_cast<size_t>(tree_threads(options)));
  const auto visit = [&](int worker, const TreeFile& file) {
    if (language_of(file.name) == nullptr || file_count >= kScannedFilesMax) return;
    struct stat status {};
    if (::fstatat(file.folder, file.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (!S_ISREG(status.st_mode)) return;
    ++file_count;
    findings[static_cast<size_t>(worker)].add(
        file, {static_cast<uint64_t>(status.st_size), nanoseconds(status.st_mtim),
               nanoseconds(status.st_ctim), status.st_ino});
  };
  TRY_ASSIGN(const bool is_whole, visit_in_parallel(workspace, ".", options, visit));
  if (interrupted != nullptr && interrupted->load()) {
    return Error(ErrorCode::kInterrupted, "interrupted while the files were listed");
  }
  return TreeScan{merged(findings), is_whole && file_count < kScannedFilesMax};
}

}  // namespace levin::tools
