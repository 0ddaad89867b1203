#include "tools/web/devtools.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace levin::tools::web {
namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr int kWriteWaitMs = 5'000;

Error gone_error() {
  return Error(ErrorCode::kIo, "the browser has ended");
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

// True when all of it was taken.
bool write_message(int fd, const std::string& message) {
  size_t done = 0;
  while (done < message.size()) {
    const ssize_t count = ::write(fd, message.data() + done, message.size() - done);
    if (count > 0) {
      done += static_cast<size_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    pollfd wait{fd, POLLOUT, 0};
    if (::poll(&wait, 1, kWriteWaitMs) <= 0) return false;
  }
  return true;
}

}  // namespace

DevTools::DevTools(int commands, int answers) : commands_(commands), answers_(answers) {
  ::fcntl(commands_, F_SETFL, O_NONBLOCK);
}

int DevTools::send(const std::string& session, const std::string& method, const Json& params) {
  Json message = {{"id", ++last_id_}, {"method", method}, {"params", params}};
  if (!session.empty()) message["sessionId"] = session;
  std::string text = message.dump(-1, ' ', false, Json::error_handler_t::replace);
  text += '\0';
  if (!gone_ && !write_message(commands_, text)) gone_ = true;
  return last_id_;
}

void DevTools::post(const std::string& session, const std::string& method, const Json& params) {
  send(session, method, params);
}

Result<Json> DevTools::call(const std::string& session, const std::string& method,
                            const Json& params, std::chrono::milliseconds limit) {
  awaited_id_ = send(session, method, params);
  awaited_ = nullptr;
  const Clock::time_point deadline = Clock::now() + limit;
  while (awaited_.is_null()) {
    if (!read_some(deadline)) {
      awaited_id_ = 0;
      if (gone_) return gone_error();
      return Error(ErrorCode::kLimit, method + ": no answer within " +
                                          std::to_string(limit.count()) + " ms");
    }
  }
  awaited_id_ = 0;
  Json answer = std::move(awaited_);
  if (answer.contains("error")) {
    return Error(ErrorCode::kInvalidArgument, method + ": " + answer["error"].value("message", "refused"));
  }
  return answer.value("result", Json::object());
}

Result<void> DevTools::wait_until(const std::function<bool()>& done,
                                  std::chrono::milliseconds limit) {
  const Clock::time_point deadline = Clock::now() + limit;
  while (!done()) {
    if (read_some(deadline)) continue;
    if (gone_) return gone_error();
    return Error(ErrorCode::kLimit, "nothing happened within " + std::to_string(limit.count()) + " ms");
  }
  return {};
}

bool DevTools::read_some(Clock::time_point deadline) {
  if (gone_) return false;
  pollfd wait{answers_, POLLIN, 0};
  const int ready = ::poll(&wait, 1, milliseconds_until(deadline));
  if (ready < 0 && errno == EINTR) return Clock::now() < deadline;
  if (ready <= 0) return false;
  const size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  const ssize_t count = ::read(answers_, buffer_.data() + before, kReadBytes);
  buffer_.resize(before + (count > 0 ? static_cast<size_t>(count) : 0));
  if (count == 0 || (count < 0 && errno != EINTR)) {
    gone_ = true;
    return false;
  }
  take_messages();
  return true;
}

void DevTools::take_messages() {
  size_t begin = 0;
  for (;;) {
    const size_t end = buffer_.find('\0', std::max(begin, scanned_));
    if (end == std::string::npos) break;
    if (!skipping_) handle(std::string_view(buffer_).substr(begin, end - begin));
    skipping_ = false;
    begin = end + 1;
  }
  buffer_.erase(0, begin);
  if (buffer_.size() > kMessageBytesMax || skipping_) {
    if (!skipping_) ++dropped_;
    skipping_ = true;
    buffer_.clear();
  }
  scanned_ = buffer_.size();
}

void DevTools::handle(std::string_view text) {
  Json message = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!message.is_object()) return;
  if (message.contains("id")) {
    if (awaited_id_ != 0 && message["id"] == awaited_id_) awaited_ = std::move(message);
    return;
  }
  const std::string method = message.value("method", "");
  if (!listener_ || method.empty()) return;
  const Json params = message.value("params", Json::object());
  listener_(message.value("sessionId", ""), method, params);
}

}  // namespace levin::tools::web
