// Starts headless Chromium with its debugging pipe, confined: own user, pid, ipc and network
// namespaces, no file of the user's, no network at all. What a page loads comes over the pipe
// (tools/web/page.h). The one place that knows how the browser is started.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace levin::tools::web {

class BrowserProcess {
 public:
  // `program` is Chromium's absolute path. Errors: kUnsupported when it can't be confined here, kIo.
  static Result<BrowserProcess> start(const std::string& program);
  // Kills what is left.
  ~BrowserProcess();
  BrowserProcess(BrowserProcess&& other) noexcept
      : commands(std::move(other.commands)),
        answers(std::move(other.answers)),
        log_(std::move(other.log_)),
        pid_(std::exchange(other.pid_, -1)) {}
  BrowserProcess& operator=(BrowserProcess&&) = delete;

  UniqueFd commands;  // JSON messages, each ended by a NUL, go in here ...
  UniqueFd answers;   // ... and come out here.

  // The last lines that it printed, to tell why it did not start.
  std::string last_words() const;

 private:
  BrowserProcess() = default;

  UniqueFd log_;
  pid_t pid_ = -1;
};

}  // namespace levin::tools::web
