#include "tools/file_tree.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "tools/tree_folder.h"

namespace levin::tools {
namespace {

class TreeVisitor {
 public:
  TreeVisitor(TreeOptions options, const std::function<bool(const TreeFile&)>& visit)
      : options_(options), visit_(visit) {}

  // Returns false when the walk shall end.
  bool folder(TreeFolder& folder, int depth) {
    // A folder sorts as its name with the slash that follows in the paths below it.
    const auto key = [](const FolderEntry& entry) {
      return entry.is_folder ? entry.name + "/" : entry.name;
    };
    std::sort(folder.entries.begin(), folder.entries.end(),
              [&](const FolderEntry& a, const FolderEntry& b) { return key(a) < key(b); });
    for (const FolderEntry& entry : folder.entries) {
      if (!one(folder, entry, depth)) return false;
    }
    return true;
  }

 private:
  bool one(const TreeFolder& parent, const FolderEntry& entry, int depth) {
    if (!entry.is_folder) {
      // Whoever opens it checks its kind again.
      if (++files_ > kTreeFilesMax) return false;
      const std::string path = parent.prefix + entry.name;
      return visit_(TreeFile{parent.fd.get(), entry.name, path});
    }
    if (depth >= kTreeDepthMax) return true;
    UniqueFd fd = open_subfolder(parent.fd.get(), entry.name);
    if (!fd) return true;
    Result<TreeFolder> child =
        read_tree_folder(std::move(fd), parent.prefix + entry.name + "/", parent.rules, options_);
    return child ? folder(*child, depth + 1) : true;
  }

  TreeOptions options_;
  const std::function<bool(const TreeFile&)>& visit_;
  size_t files_ = 0;
};

// Folders to read and files to visit, shared by the workers. The newest task goes first, so that
// few folders are open at a time: those on the way to where the workers are.
class ParallelVisitor {
 public:
  ParallelVisitor(const ParallelOptions& options,
                  const std::function<void(int, const TreeFile&)>& visit)
      : options_(options), visit_(visit) {}

  // False when not all files were visited.
  bool run(TreeFolder start) {
    add_folder(std::move(start), 0);
    std::vector<std::thread> threads;
    const int count = tree_threads(options_);
    for (int worker = 1; worker < count; ++worker) {
      try {
        threads.emplace_back([this, worker] { work(worker); });
      } catch (const std::system_error&) {
        break;  // No more threads for us: those there are do the work.
      }
    }
    work(0);
    for (std::thread& thread : threads) thread.join();
    return files_ <= kTreeFilesMax && !is_interrupted();
  }

 private:
  // Enough files to make a task worth its lock, few enough to share a large folder.
  static constexpr size_t kFilesPerTask = 64;

  // Owned by all tasks that are in it: the last one closes it.
  using OpenFolder = std::shared_ptr<const TreeFolder>;

  struct Task {
    OpenFolder folder;
    size_t begin = 0;  // Entries [begin, end): files, or one folder.
    size_t end = 0;
    int depth = 0;
  };

  bool is_interrupted() const {
    return options_.interrupted != nullptr && options_.interrupted->load();
  }

  void add_folder(TreeFolder folder, int depth) {
    const auto files = std::partition(folder.entries.begin(), folder.entries.end(),
                                      [](const FolderEntry& entry) { return entry.is_folder; });
    const auto num_folders = static_cast<size_t>(files - folder.entries.begin());
    const size_t count = folder.entries.size();
    const auto shared = std::make_shared<const TreeFolder>(std::move(folder));
    const std::lock_guard<std::mutex> lock(mutex_);
    files_ += count - num_folders;
    if (depth < kTreeDepthMax) {
      for (size_t index = 0; index < num_folders; ++index) {
        tasks_.push_back({shared, index, index + 1, depth});
      }
    }
    for (size_t begin = num_folders; begin < count; begin += kFilesPerTask) {
      tasks_.push_back({shared, begin, std::min(begin + kFilesPerTask, count), depth});
    }
    if (tasks_.size() > 1) changed_.notify_all();
  }

  // Waits for a task; false when there will be none.
  bool take(Task& task) {
    std::unique_lock<std::mutex> lock(mutex_);
    --num_busy_;
    changed_.wait(lock, [&] { return !tasks_.empty() || num_busy_ == 0; });
    if (tasks_.empty() || files_ > kTreeFilesMax || is_interrupted()) {
      tasks_.clear();
      changed_.notify_all();
      return false;
    }
    ++num_busy_;
    task = std::move(tasks_.back());
    tasks_.pop_back();
    return true;
  }

  void work(int worker) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++num_busy_;
    }
    Task task;
    while (take(task)) {
      const TreeFolder& folder = *task.folder;
      if (folder.entries[task.begin].is_folder) {
        enter(folder, folder.entries[task.begin], task.depth);
        continue;
      }
      std::string path = folder.prefix;
      for (size_t index = task.begin; index < task.end; ++index) {
        const FolderEntry& entry = folder.entries[index];
        path.resize(folder.prefix.size());
        path += entry.name;
        visit_(worker, TreeFile{folder.fd.get(), entry.name, path});
      }
    }
  }

  void enter(const TreeFolder& parent, const FolderEntry& entry, int depth) {
    const std::string path = parent.prefix + entry.name;
    if (options_.is_pruned && options_.is_pruned(path)) return;
    UniqueFd fd = open_subfolder(parent.fd.get(), entry.name);
    if (!fd) return;
    Result<TreeFolder> child =
        read_tree_folder(std::move(fd), path + "/", parent.rules, options_.tree);
    if (child) add_folder(*std::move(child), depth + 1);
  }

  const ParallelOptions& options_;
  const std::function<void(int, const TreeFile&)>& visit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;  // The newest at the end.
  int num_busy_ = 0;         // Workers that may still add tasks.
  size_t files_ = 0;
};

}  // namespace

int tree_threads(const ParallelOptions& options) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int wanted = options.num_threads > 0 ? options.num_threads : cores;
  return std::clamp(wanted, 1, kTreeThreadsMax);
}

Result<void> visit_files(const Workspace& workspace, std::string_view start, TreeOptions options,
                         const std::function<bool(const TreeFile&)>& visit) {
  TRY_ASSIGN(TreeFolder folder, open_tree(workspace, start, options));
  TreeVisitor(options, visit).folder(folder, 0);
  return {};
}

Result<bool> visit_in_parallel(const Workspace& workspace, std::string_view start,
                               const ParallelOptions& options,
                               const std::function<void(int worker, const TreeFile&)>& visit) {
  TRY_ASSIGN(TreeFolder folder, open_tree(workspace, start, options.tree));
  return ParallelVisitor(options, visit).run(std::move(folder));
}

std::vector<std::string> list_files(const Workspace& workspace) {
  std::vector<std::string> paths;
  const Result<void> result =
      visit_files(workspace, ".", {.hidden = true}, [&](const TreeFile& file) {
        paths.push_back(file.path);
        return true;
      });
  if (!result) paths.clear();
  return paths;
}

}  // namespace levin::tools
