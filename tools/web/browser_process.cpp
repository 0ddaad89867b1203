#include "tools/web/browser_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "sandbox/plan.h"
#include "sandbox/spawn.h"

namespace levin::tools::web {
namespace {

constexpr size_t kLastWordsBytes = 2000;

// Chromium's own sandbox needs nested user namespaces, which the outer one forbids.
const std::vector<std::string> kBrowserArguments = {
    "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--user-data-dir=/tmp/profile", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-breakpad", "--disable-crash-reporter", "--mute-audio",
    "--hide-scrollbars", "--no-zygote", "--no-pings", "--force-color-profile=srgb",
    "--force-device-scale-factor=1", "--disable-lcd-text", "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
    "--disable-hang-monitor", "--disable-prompt-on-repost", "--disable-popup-blocking",
    "--disable-domain-reliability", "--password-store=basic", "--lang=en-US",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    "about:blank"};

std::vector<std::string> confined(const std::string& bubblewrap, const std::string& program) {
  std::vector<std::string> argv = {
      bubblewrap, "--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-net",
      "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "levin",
      "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--ro-bind", "/usr", "/usr"};
  for (const char* link : {"bin", "sbin", "lib", "lib32", "lib64"}) {
    struct stat status {};
    const std::string path = std::string("/") + link;
    if (::lstat(path.c_str(), &status) != 0) continue;
    if (S_ISLNK(status.st_mode)) {
      argv.insert(argv.end(), {"--symlink", std::string("usr/") + link, path});
    } else {
      argv.insert(argv.end(), {"--ro-bind", path, path});
    }
  }
  // Fonts and libraries; no other file of /etc, of the home folder or of the workspace.
  for (const char* path : {"/etc/fonts", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime",
                           "/var/cache/fontconfig"}) {
    argv.insert(argv.end(), {"--ro-bind-try", path, path});
  }
  argv.insert(argv.end(), {"--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev", "--size",
                           std::to_string(sandbox::kTmpfsBytesMax), "--tmpfs", "/tmp", "--tmpfs",
                           "/run", "--remount-ro", "/", "--chdir", "/tmp", "--clearenv"});
  for (const char* name : {"HOME", "TMPDIR", "XDG_RUNTIME_DIR"}) {
    argv.insert(argv.end(), {"--setenv", name, "/tmp"});
  }
  argv.insert(argv.end(), {"--setenv", "LANG", "C.UTF-8", "--setenv", "TZ", "UTC", "--setenv",
                           "PATH", "/usr/bin:/bin", "--", program});
  argv.insert(argv.end(), kBrowserArguments.begin(), kBrowserArguments.end());
  return argv;
}

Result<void> make_pipe(UniqueFd* read_end, UniqueFd* write_end) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Error(ErrorCode::kIo, std::string("starting the browser: pipe: ") + std::strerror(errno));
  }
  *read_end = UniqueFd(ends[0]);
  *write_end = UniqueFd(ends[1]);
  return {};
}

}  // namespace

Result<BrowserProcess> BrowserProcess::start(const std::string& program) {
  const std::string bubblewrap = sandbox::find_bubblewrap();
  if (bubblewrap.empty()) {
    return Error(ErrorCode::kUnsupported,
                 "the browser is only started in a sandbox, and bubblewrap is not installed; "
                 "install the package bubblewrap");
  }
  BrowserProcess process;
  UniqueFd their_commands;
  UniqueFd their_answers;
  TRY(make_pipe(&their_commands, &process.commands));
  TRY(make_pipe(&process.answers, &their_answers));
  process.log_ = UniqueFd(::memfd_create("browser", MFD_CLOEXEC));
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!process.log_ || !nothing) {
    return Error(ErrorCode::kIo, std::string("starting the browser: ") + std::strerror(errno));
  }
  sandbox::SpawnRequest request;
  request.argv = confined(bubblewrap, program);
  request.fds = {nothing.get(), process.log_.get(), process.log_.get(), their_commands.get(),
                 their_answers.get()};
  TRY_ASSIGN(process.pid_, sandbox::spawn(request));
  return process;
}

BrowserProcess::~BrowserProcess() {
  if (pid_ <= 0) return;
  // The sandbox's init dies with its parent, and everything inside with the init.
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
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
