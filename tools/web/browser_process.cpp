#include "tools/web/browser_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "sandbox/sandbox.h"

namespace levin::tools::web {
namespace {

constexpr size_t kLastWordsBytes = 2000;

// Chromium's own sandbox needs nested user namespaces, which the outer one forbids.
const std::vector<std::string> kBrowserArguments = {
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--user-data-dir=/tmp/profile",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--mute-audio",
    "--hide-scrollbars",
    "--no-zygote",
    "--no-pings",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--disable-lcd-text",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-hang-monitor",
    "--disable-prompt-on-repost",
    "--disable-popup-blocking",
    "--disable-domain-reliability",
    "--password-store=basic",
    "--lang=en-US",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    "about:blank"};

// A cell of its own that holds no file of the user's.
sandbox::Policy browser_policy() {
  sandbox::Policy policy;
  policy.profile = sandbox::Profile::kBrowser;
  policy.environment = {{"PATH", "/usr/bin:/bin"},   {"HOME", "/tmp"},    {"TMPDIR", "/tmp"},
                        {"XDG_RUNTIME_DIR", "/tmp"}, {"LANG", "C.UTF-8"}, {"TZ", "UTC"}};
  return policy;
}

Result<void> make_pipe(UniqueFd* read_end, UniqueFd* write_end) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Error(ErrorCode::kIo,
                 std::string("starting the browser: pipe: ") + std::strerror(errno));
  }
  *read_end = UniqueFd(ends[0]);
  *write_end = UniqueFd(ends[1]);
  return {};
}

}  // namespace

Result<BrowserProcess> BrowserProcess::start(const std::string& program) {
  BrowserProcess process;
  UniqueFd their_commands;
  UniqueFd their_answers;
  TRY(make_pipe(&their_commands, &process.commands));
  TRY(make_pipe(&process.answers, &their_answers));
  process.log_ = UniqueFd(::memfd_create("browser", MFD_CLOEXEC));
  if (!process.log_) {
    return Error(ErrorCode::kIo, std::string("starting the browser: ") + std::strerror(errno));
  }
  auto cell = sandbox::Sandbox::open(browser_policy());
  if (!cell) return std::move(cell).error().context("the browser is only started in a sandbox");
  sandbox::Command command;
  command.argv = {program};
  command.argv.insert(command.argv.end(), kBrowserArguments.begin(), kBrowserArguments.end());
  command.extra_fds = {their_commands.get(), their_answers.get()};
  command.output_file = process.log_.get();
  TRY_ASSIGN(process.running_, cell->start(command));
  process.cell_ = *std::move(cell);
  return process;
}

std::string BrowserProcess::last_words() const {
  struct stat status {};
  if (!log_ || ::fstat(log_.get(), &status) != 0) return "";
  const auto size = static_cast<size_t>(status.st_size);
  const size_t from = size > kLastWordsBytes ? size - kLastWordsBytes : 0;
  std::string text(size - from, '\0');
  const ssize_t count = ::pread(log_.get(), text.data(), text.size(), static_cast<off_t>(from));
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace levin::tools::web
