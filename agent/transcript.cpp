#include "agent/transcript.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/file_io.h"

namespace levin::agent {
namespace {

// A session of a million tokens is about 8 MiB.
constexpr size_t kTranscriptBytesMax = size_t{1} << 30;

Error io_error(const std::string& doing, int error) {
  return Error(ErrorCode::kIo, doing + ": " + std::strerror(error));
}

Result<UniqueFd> open_locked(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600));
  if (!fd) return io_error("cannot open the transcript " + path, errno);
  // Two writers would mix their steps.
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Error(ErrorCode::kIo, "another levin is using the session of " + path);
    }
    return io_error("cannot lock the transcript " + path, errno);
  }
  return fd;
}

// A new name is on the disk only once its folder is.
Result<void> sync_folder(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return io_error("cannot sync the folder " + folder, errno);
  return {};
}

bool ends_something(const Record& record) {
  return std::holds_alternative<SessionRecord>(record) ||
         std::holds_alternative<StateRecord>(record) ||
         std::holds_alternative<CheckpointRecord>(record) ||
         std::holds_alternative<RewindRecord>(record) || std::holds_alternative<EndRecord>(record);
}

}  // namespace

std::string make_session_id(std::time_t time, uint32_t random) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> stamp{};
  const size_t length = std::strftime(stamp.data(), stamp.size(), "%Y%m%d-%H%M%S", &parts);
  std::array<char, 16> suffix{};
  std::snprintf(suffix.data(), suffix.size(), "-%06x", random & 0xFFFFFFU);
  return std::string(stamp.data(), length) + suffix.data();
}

std::string new_session_id() {
  uint32_t random = 0;
  // Small requests are never cut short. Before the kernel has entropy the process id must do.
  if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof random)) {
    random = static_cast<uint32_t>(::getpid());
  }
  return make_session_id(std::time(nullptr), random);
}

Result<Transcript> Transcript::create(const std::string& folder, const SessionRecord& header) {
  TRY(make_directories(folder, 0700));
  const std::string path = folder + "/" + std::string(kFileName);
  TRY_ASSIGN(UniqueFd fd, open_locked(path, O_CREAT | O_EXCL));
  Transcript transcript(std::move(fd), path, 0);
  TRY(transcript.append(header));
  TRY(sync_folder(folder));
  return transcript;
}

Result<Transcript> Transcript::reopen(const std::string& path, uint64_t whole_bytes) {
  TRY_ASSIGN(UniqueFd fd, open_locked(path, 0));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return io_error("cannot stat " + path, errno);
  const bool has_tail = S_ISREG(status.st_mode) && status.st_size > 0 &&
                        static_cast<uint64_t>(status.st_size) > whole_bytes;
  if (has_tail && ::ftruncate(fd.get(), static_cast<off_t>(whole_bytes)) != 0) {
    return io_error("cannot cut the broken last line of " + path, errno);
  }
  return Transcript(std::move(fd), path, whole_bytes);
}

Result<void> Transcript::append(const Record& record) {
  // Options may hold any text of a user's command line; a transcript is always valid UTF-8.
  const std::string line =
      to_json(record).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  Result<void> written = write_all(fd_.get(), line, path_);
  if (!written) {
    // Half a line would glue the next record to it. Where this fails too (a device, a dead disk)
    // the next append fails as well.
    (void)!::ftruncate(fd_.get(), static_cast<off_t>(size_));
    return Error(ErrorCode::kIo, std::move(written).error().message());
  }
  size_ += line.size();
  return ends_something(record) ? sync() : Result<void>();
}

Result<void> Transcript::sync() {
  if (::fdatasync(fd_.get()) != 0) return io_error("cannot sync the transcript " + path_, errno);
  return {};
}

Result<SessionRecord> read_session_record(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) {
    return Error(ErrorCode::kNotFound, "cannot read the first line of " + path);
  }
  const auto json = nlohmann::ordered_json::parse(line, nullptr, false);
  TRY_ASSIGN(Record record, record_from_json(json));
  if (SessionRecord* session = std::get_if<SessionRecord>(&record)) return std::move(*session);
  return Error(ErrorCode::kCorrupt, path + ": expected a session record on the first line");
}

Result<TranscriptContent> read_transcript(const std::string& path) {
  TRY_ASSIGN(const std::string text, read_file(path, kTranscriptBytesMax));
  TranscriptContent content;
  std::string_view rest = text;
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    const auto json = nlohmann::ordered_json::parse(rest.substr(0, end), nullptr, false);
    Result<Record> record = json.is_discarded()
                                ? Result<Record>(Error(ErrorCode::kCorrupt, "not a JSON value"))
                                : record_from_json(json);
    const std::string place = path + " line " + std::to_string(number);
    if (!record) return std::move(record).error().context(place);
    if ((number == 1) != std::holds_alternative<SessionRecord>(*record)) {
      return Error(ErrorCode::kCorrupt,
                   place + ": expected a session record on the first line and on no other");
    }
    content.records.push_back(*std::move(record));
    content.whole_bytes += end + 1;
    rest.remove_prefix(end + 1);
  }
  content.cut_bytes = rest.size();
  return content;
}

}  // namespace levin::agent
