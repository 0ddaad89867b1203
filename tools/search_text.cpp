#include "tools/search_text.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "tools/file_tree.h"
#include "tools/line_finder.h"
#include "tools/text_lines.h"

namespace levin::tools {
namespace {

// Reads files into the same memory again and again.
class FileReader {
 public:
  enum class Outcome { kText, kBinary, kTooLarge, kUnreadable };

  Outcome read(int fd) {
    size_ = 0;
    bool is_probed = false;
    for (;;) {
      if (size_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
      const ssize_t count = ::read(fd, buffer_.data() + size_, buffer_.size() - size_);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Outcome::kUnreadable;
      size_ += static_cast<size_t>(count);
      // Only the end of a regular file makes a read short.
      const bool at_end = size_ < buffer_.size();
      if (!is_probed && (at_end || size_ >= kSearchBinaryProbeBytes)) {
        is_probed = true;
        if (text().substr(0, kSearchBinaryProbeBytes).find('\0') != std::string_view::npos) {
          return Outcome::kBinary;
        }
      }
      if (size_ > kFileBytesMax) return Outcome::kTooLarge;
      if (at_end) return Outcome::kText;
    }
  }
  std::string_view text() const { return std::string_view(buffer_).substr(0, size_); }

 private:
  static constexpr size_t kFirstBytes = 128 * 1024;
  std::string buffer_ = std::string(kFirstBytes, '\0');
  size_t size_ = 0;
};

// What one thread works with.
struct Worker {
  LineFinder finder;
  FileReader reader;
  size_t num_too_large = 0;
};

HitTable::FileHits hits_of(LineFinder& finder, std::string_view content, const std::string& path) {
  HitTable::FileHits hits;
  finder.find(content, [&](size_t number, std::string_view line) {
    if (hits.count++ >= kHitsShownMax) return;
    hits.lines.push_back(shown_name(path) + ':' + std::to_string(number) + ": " + shown_line(line));
  });
  return hits;
}

std::string notes(const std::vector<Worker>& workers, bool is_whole) {
  size_t too_large = 0;
  bool gave_up = false;
  for (const Worker& worker : workers) {
    too_large += worker.num_too_large;
    gave_up = gave_up || worker.finder.gave_up();
  }
  std::string text;
  if (gave_up) text += "\nSome lines were given up: the pattern takes too long on them.";
  if (too_large > 0) {
    text += "\n" + std::to_string(too_large) + " files larger than " +
            std::to_string(kFileBytesMax >> 20) + " MiB were not searched.";
  }
  if (!is_whole) text += "\nNot all files were searched; name a folder in path.";
  return text;
}

Result<std::vector<Worker>> make_workers(const TextQuery& query, int count) {
  std::vector<Worker> workers;
  for (int index = 0; index < count; ++index) {
    TRY_ASSIGN(LineFinder finder, LineFinder::create(query.pattern, query.literal));
    workers.push_back({std::move(finder), FileReader(), 0});
  }
  return workers;
}

}  // namespace

void HitTable::add(const std::string& path, FileHits hits) {
  const std::lock_guard<std::mutex> lock(mutex_);
  num_files_ += 1;
  num_hits_ += hits.count;
  num_lines_ += hits.lines.size();
  files_.emplace(path, std::move(hits));
  // Files after enough others are only counted.
  while (num_lines_ - files_.rbegin()->second.lines.size() >= kHitsShownMax) {
    num_lines_ -= files_.rbegin()->second.lines.size();
    files_.erase(std::prev(files_.end()));
  }
}

std::string HitTable::text() const {
  std::string body;
  size_t shown = 0;
  bool full = false;
  for (const auto& [path, hits] : files_) {
    for (const std::string& line : hits.lines) {
      full = full || shown == kHitsShownMax || body.size() + line.size() + 1 > kSearchBodyBytesMax;
      if (full) break;
      body += '\n' + line;
      ++shown;
    }
  }
  std::string head;
  if (shown < num_hits_) head = std::to_string(shown) + " of ";
  head += std::to_string(num_hits_) + (num_hits_ == 1 ? " hit" : " hits");
  if (num_hits_ > 0) {
    head += " in " + std::to_string(num_files_) + (num_files_ == 1 ? " file" : " files");
  }
  if (shown < num_hits_) head += ", narrow with glob or path";
  return head + body;
}

Result<std::string> search_text(const Workspace& workspace, const TextQuery& query) {
  ParallelOptions options;
  options.num_threads = query.num_threads;
  options.interrupted = query.interrupted;
  options.is_pruned = [&](std::string_view path) { return query.filter.excludes(path); };
  TRY_ASSIGN(std::vector<Worker> workers, make_workers(query, tree_threads(options)));
  HitTable hits;
  TRY_ASSIGN(const Place place, workspace.find(query.path));
  if (place.is_file()) {  // Named outright: neither hidden nor ignored.
    TRY_ASSIGN(const FileData file, workspace.load(query.path));
    if (!looks_binary(file.content)) {
      HitTable::FileHits found = hits_of(workers[0].finder, file.content, query.path);
      if (found.count > 0) hits.add(query.path, std::move(found));
    }
    return hits.text() + notes(workers, true);
  }
  const auto visit = [&](int number, const TreeFile& file) {
    if (!query.filter.matches(file.path)) return;
    Worker& worker = workers[static_cast<size_t>(number)];
    const UniqueFd fd(::openat(file.folder, file.name.c_str(),
                               O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return;
    const FileReader::Outcome outcome = worker.reader.read(fd.get());
    if (outcome == FileReader::Outcome::kTooLarge) ++worker.num_too_large;
    if (outcome != FileReader::Outcome::kText) return;
    HitTable::FileHits found = hits_of(worker.finder, worker.reader.text(), file.path);
    if (found.count > 0) hits.add(file.path, std::move(found));
  };
  TRY_ASSIGN(const bool is_whole, visit_in_parallel(workspace, query.path, options, visit));
  return hits.text() + notes(workers, is_whole);
}

}  // namespace levin::tools
