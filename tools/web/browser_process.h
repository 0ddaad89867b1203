// Starts headless Chromium with its debugging pipe, confined: own user, pid, ipc and network
// namespaces, no file of the user's, no network at all. What a page loads comes over the pipe
// (tools/web/page.h). The one place that knows how the browser is started.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/sandbox.h"

namespace levin::tools::web {

class BrowserProcess {
 public:
  // `program` is Chromium's absolute path. Errors: kUnsupported when it can't be confined here,
  // kIo.
  static Result<BrowserProcess> start(const std::string& program);
  // Destroying it kills what is left.
  BrowserProcess(BrowserProcess&&) noexcept = default;
  BrowserProcess& operator=(BrowserProcess&&) = delete;

  UniqueFd commands;  // JSON messages, each ended by a NUL, go in here ...
  UniqueFd answers;   // ... and come out here.

  // The last lines that it printed, to tell why it did not start.
  std::string last_words() const;

 private:
  BrowserProcess() = default;

  UniqueFd log_;
  std::optional<sandbox::Sandbox> cell_;
  std::optional<sandbox::Process> running_;  // Ends before its cell does.
};

}  // namespace levin::tools::web
