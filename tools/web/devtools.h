// Chromium's debugging protocol over two pipes: JSON messages ended by NUL. One thread; while a call
// waits for its answer, events go to the listener, which may post further commands.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace levin::tools::web {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

// A longer message (a page prints 100 MB) is thrown away as it comes, and counted.
inline constexpr size_t kMessageBytesMax = size_t{48} << 20;

class DevTools {
 public:
  using Listener =
      std::function<void(const std::string& session, const std::string& method, const Json& params)>;

  // Borrows the descriptors. commands is made non-blocking: a browser that does not read is an error.
  DevTools(int commands, int answers);

  void set_listener(Listener listener) { listener_ = std::move(listener); }

  // Sends without waiting; a failed answer is ignored.
  void post(const std::string& session, const std::string& method, const Json& params = Json::object());

  // Sends and waits. Errors: kIo "browser: ..." when the browser is gone; kLimit when no answer came
  // in time; kInvalidArgument with the browser's words when it refused.
  Result<Json> call(const std::string& session, const std::string& method,
                    const Json& params = Json::object(),
                    std::chrono::milliseconds limit = std::chrono::seconds(10));

  // Handles events until `done` says so. Errors: kIo, kLimit as call().
  Result<void> wait_until(const std::function<bool()>& done, std::chrono::milliseconds limit);

  bool is_gone() const { return gone_; }
  size_t messages_dropped() const { return dropped_; }

 private:
  // Reads at least one message or waits until `deadline`; false at the deadline or the end.
  bool read_some(Clock::time_point deadline);
  void take_messages();
  void handle(std::string_view text);
  int send(const std::string& session, const std::string& method, const Json& params);

  int commands_;
  int answers_;
  Listener listener_;
  std::string buffer_;
  size_t scanned_ = 0;     // Of buffer_: no NUL before this.
  bool skipping_ = false;  // Inside a message that is too long.
  size_t dropped_ = 0;
  bool gone_ = false;
  int last_id_ = 0;
  int awaited_id_ = 0;
  Json awaited_;  // The answer to awaited_id_ once it is there; null before.
};

}  // namespace levin::tools::web
