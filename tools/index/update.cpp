#include "tools/index/update.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "tools/index/languages.h"
#include "tools/index/tree_scan.h"

namespace levin::tools {
namespace {

// Time stamps of files advance in steps of the kernel's clock tick. A file that changed so shortly
// before it was read may change again without a new stamp.
constexpr int64_t kStampStepNs = 20'000'000;
constexpr size_t kOneThreadFilesMax = 8;  // Fewer are parsed before a thread has started.

// A folder that is new or has changed files.
struct Job {
  const ScannedFolder* scanned = nullptr;
  FolderRecord* old = nullptr;              // Null: new.
  std::vector<std::optional<size_t>> kept;  // By file: its place in `old`; absent: to parse.
  std::vector<Tags> tags;                   // By file, of the parsed ones.
  std::vector<FileStamp> stamps;
  std::atomic<size_t> waiting{0};
};

struct Task {
  Job* job;
  size_t file;
};

int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Parses one file as it is now. A file that cannot be read gets a stamp that never matches.
void parse(int root, Tagger& tagger, const Task& task) {
  Job& job = *task.job;
  const ScannedFile& file = job.scanned->files[task.file];
  Tags& tags = job.tags[task.file];
  const std::string path =
      job.scanned->path.empty() ? file.name : job.scanned->path + "/" + file.name;
  const int64_t begin_ns = now_ns();
  job.stamps[task.file] = file.stamp;
  if (file.stamp.size > kIndexedBytesMax) {
    tags.state = FileState::kTooLarge;
  } else {
    const UniqueFd fd = open_below(root, path, O_RDONLY | O_NONBLOCK);
    struct stat status {};
    const bool is_file = fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
    Result<std::string> content =
        is_file ? read_descriptor(fd.get(), kIndexedBytesMax, path)
                : Result<std::string>(Error(ErrorCode::kNotFound, "no " + path));
    if (content) {
      tags = tagger.tag(*language_of(file.name), *content);
    } else {
      tags.state = FileState::kUnreadable;
    }
  }
  if (file.stamp.changed_ns >= begin_ns - kStampStepNs) job.stamps[task.file].changed_ns = 0;
}

class Updater {
 public:
  Updater(const Workspace& workspace, IndexStore& store, const IndexOptions& options)
      : workspace_(workspace), store_(store), options_(options) {
    threads_ = options.thread_count > 0 ? options.thread_count
                                        : std::max(1u, std::thread::hardware_concurrency());
  }

  Result<IndexData> run() {
    TRY(look());
    plan();
    TRY_ASSIGN(const Place root, workspace_.find("."));
    if (tasks_.size() >= kLargeUpdateFiles && options_.on_large_update) {
      options_.on_large_update(tasks_.size());
    }
    TRY(parse_and_write(root.entry.get()));
    return collect();
  }

 private:
  // Lists the files while the database is read.
  Result<void> look() {
    std::optional<Result<std::vector<FolderRecord>>> loaded;
    std::thread loader([&] { loaded.emplace(store_.load()); });
    Result<TreeScan> scanned = scan_tree(workspace_, threads_, options_.interrupted);
    loader.join();
    if (!scanned) return std::move(scanned).error();
    if (!*loaded) return std::move(*loaded).error();
    scan_ = *std::move(scanned);
    old_ = *std::move(*loaded);
    return {};
  }

  FolderRecord* old_of(const std::string& path) {
    const auto found = std::lower_bound(
        old_.begin(), old_.end(), path,
        [](const FolderRecord& folder, const std::string& name) { return folder.path < name; });
    return found != old_.end() && found->path == path ? &*found : nullptr;
  }

  // Which files have to be parsed, and which folders are gone.
  void plan() {
    folders_.resize(scan_.folders.size());
    std::vector<bool> is_seen(old_.size(), false);
    for (size_t index = 0; index < scan_.folders.size(); ++index) {
      const ScannedFolder& scanned = scan_.folders[index];
      FolderRecord* const old = old_of(scanned.path);
      if (old != nullptr) is_seen[static_cast<size_t>(old - old_.data())] = true;
      if (old != nullptr && is_unchanged(scanned, *old)) {
        folders_[index] = std::move(*old);
        folders_[index].path = scanned.path;
      } else {
        add_job(scanned, old);
      }
    }
    // What was not looked at because there are too many files is not gone.
    for (size_t index = 0; index < old_.size() && scan_.is_whole; ++index) {
      if (!is_seen[index]) gone_.push_back(old_[index].path);
    }
  }

  static bool is_unchanged(const ScannedFolder& scanned, const FolderRecord& old) {
    return std::equal(scanned.files.begin(), scanned.files.end(), old.files.begin(),
                      old.files.end(), [](const ScannedFile& now, const FileRecord& then) {
                        return now.stamp == then.stamp && now.name == then.name;
                      });
  }

  void add_job(const ScannedFolder& scanned, FolderRecord* old) {
    auto job = std::make_unique<Job>();
    job->scanned = &scanned;
    job->old = old;
    job->kept.resize(scanned.files.size());
    job->tags.resize(scanned.files.size());
    job->stamps.resize(scanned.files.size());
    size_t at = 0;  // Both lists are sorted by name.
    for (size_t file = 0; file < scanned.files.size(); ++file) {
      const ScannedFile& now = scanned.files[file];
      while (old != nullptr && at < old->files.size() && old->files[at].name < now.name) ++at;
      if (old != nullptr && at < old->files.size() && old->files[at].name == now.name &&
          old->files[at].stamp == now.stamp) {
        job->kept[file] = at;
      } else {
        tasks_.push_back({job.get(), file});
        ++job->waiting;
      }
    }
    if (job->waiting == 0) done_.push_back(job.get());
    jobs_.push_back(std::move(job));
  }

  Result<void> parse_and_write(int root) {
    if (jobs_.empty() && gone_.empty()) return {};
    std::vector<std::thread> threads;
    if (tasks_.size() > kOneThreadFilesMax) {
      for (unsigned index = 0; index < threads_; ++index) {
        threads.emplace_back([this, root] { parse_files(root); });
      }
    } else {
      parse_files(root);
    }
    Result<void> written = write_all_done();
    if (!written) stop_ = true;
    for (std::thread& thread : threads) thread.join();
    return written;
  }

  bool stopped() const {
    return stop_ || (options_.interrupted != nullptr && options_.interrupted->load());
  }

  void parse_files(int root) {
    Tagger tagger;
    for (size_t next = next_task_++; next < tasks_.size() && !stopped(); next = next_task_++) {
      parse(root, tagger, tasks_[next]);
      if (--tasks_[next].job->waiting > 0) continue;
      const std::lock_guard lock(mutex_);
      done_.push_back(tasks_[next].job);
      changed_.notify_one();
    }
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_one();
  }

  Result<void> write_all_done() {
    TRY(store_.begin());
    for (const std::string& path : gone_) TRY(store_.remove(path));
    const unsigned workers = tasks_.size() > kOneThreadFilesMax ? threads_ : 1;
    for (size_t count = 0; count < jobs_.size(); ++count) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !done_.empty() || ended_ == workers; });
      if (done_.empty()) break;  // Interrupted.
      Job& job = *done_.back();
      done_.pop_back();
      lock.unlock();
      TRY(write(job));
      if (count % kFoldersPerTransaction == kFoldersPerTransaction - 1) {
        TRY(store_.commit());
        TRY(store_.begin());
      }
    }
    TRY(store_.commit());
    if (stopped()) return Error(ErrorCode::kInterrupted, "interrupted while files were indexed");
    return {};
  }

  Result<void> write(Job& job) {
    if (job.old != nullptr) {
      TRY(store_.load_lists(*job.old));
      TRY_ASSIGN(job.old->tags, store_.load_tags(job.old->path));
      size_t expected = 0;
      for (const FileRecord& file : job.old->files) expected += file.tags_size;
      if (job.old->tags.size() != expected) {
        return Error(ErrorCode::kCorrupt, "the index holds damaged tags of " + job.old->path);
      }
    }
    FolderRecord record;
    record.path = job.scanned->path;
    FilePlace place;
    size_t passed = 0;
    for (size_t file = 0; file < job.scanned->files.size(); ++file) {
      if (!job.kept[file]) {
        append_file(record, job.scanned->files[file].name, job.stamps[file], job.tags[file]);
        job.tags[file] = {};
        continue;
      }
      for (; passed < *job.kept[file]; ++passed) place.pass(job.old->files[passed]);
      copy_file(record, *job.old, passed, place);
    }
    TRY(store_.put(record));
    record.tags = {};
    drop_lists(record);
    if (job.old != nullptr) *job.old = {};
    folders_[static_cast<size_t>(job.scanned - scan_.folders.data())] = std::move(record);
    return {};
  }

  IndexData collect() {
    IndexData data;
    data.folders = std::move(folders_);
    data.report.parsed = tasks_.size();
    data.report.is_whole = scan_.is_whole;
    for (const FolderRecord& folder : data.folders) {
      data.report.files += folder.files.size();
      for (const FileRecord& file : folder.files) {
        data.report.definitions += file.definition_count;
        if (file.state != FileState::kTagged) ++data.report.not_parsed;
      }
    }
    return data;
  }

  const Workspace& workspace_;
  IndexStore& store_;
  const IndexOptions& options_;
  unsigned threads_ = 1;

  TreeScan scan_;
  std::vector<FolderRecord> old_;
  std::vector<FolderRecord> folders_;  // As scan_.folders.
  std::vector<std::string> gone_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<Task> tasks_;
  std::atomic<size_t> next_task_{0};
  std::atomic<bool> stop_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job*> done_;  // Guarded by mutex_ once threads run, like what follows.
  unsigned ended_ = 0;
};

}  // namespace

Result<IndexData> update_index(const Workspace& workspace, IndexStore& store,
                               const IndexOptions& options) {
  return Updater(workspace, store, options).run();
}

Result<void> with_index(const Workspace& workspace, const IndexOptions& options,
                        const std::function<Result<void>(IndexStore&, IndexData&)>& use) {
  std::string note;
  int discarded = 0;
  for (int attempt = 0;; ++attempt) {
    Result<void> result = [&]() -> Result<void> {
      TRY_ASSIGN(IndexStore store, IndexStore::open(options.database, workspace.root(), note));
      TRY_ASSIGN(IndexData data, update_index(workspace, store, options));
      data.report.note = note;
      return use(store, data);
    }();
    if (result) return result;
    const ErrorCode code = result.error().code();
    if (code == ErrorCode::kLimit && attempt < kAttemptsMax) continue;
    if (code != ErrorCode::kCorrupt || discarded++ > 0) return result;
    note = "the index was made anew: " + result.error().message();
    IndexStore::discard(options.database);
  }
}

}  // namespace levin::tools
