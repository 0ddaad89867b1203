// clone(CLONE_VM | CLONE_VFORK), as posix_spawn does inside the C library: the child borrows the
// parent's memory until it execs, so that a parent with a model of many gigabytes costs nothing.
// fork() would copy the page tables (measured: 161 ms at 4 GiB resident).
#include "sandbox/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/check.h"
#include "base/unique_fd.h"

namespace levin::sandbox {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
// Where the child parks its descriptors while it puts them in order; above any wanted number.
constexpr int kParkedFdMin = 64;

// Everything the child needs, prepared by the parent: after clone it shares our memory and may
// neither allocate nor take a lock.
struct ChildPlan {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* working_folder = nullptr;
  const int* fds = nullptr;
  int fd_count = 0;
  rlimit core{}, file_size{}, open_files{}, processes{};
  bool limit_processes = false;
  sigset_t signals{};  // The mask to restore.
  pid_t parent = 0;
  const char* failed_step = nullptr;  // Written by the child; it shares our memory.
  int failed_errno = 0;
};

rlimit capped(int resource, int64_t value) {
  rlimit current{};
  if (::getrlimit(resource, &current) != 0) current.rlim_max = RLIM_INFINITY;
  const auto wanted = std::min(static_cast<rlim_t>(value), current.rlim_max);
  return {wanted, wanted};
}

bool place_fds(const ChildPlan& plan) {
  // Two passes: a descriptor that is still needed must not be overwritten by an earlier one.
  int parked[kParkedFdMin];
  for (int index = 0; index < plan.fd_count; ++index) {
    parked[index] = ::fcntl(plan.fds[index], F_DUPFD, kParkedFdMin);
    if (parked[index] < 0) return false;
  }
  for (int index = 0; index < plan.fd_count; ++index) {
    if (::dup2(parked[index], index) < 0) return false;
  }
  const auto first = static_cast<unsigned>(plan.fd_count);
  if (::syscall(SYS_close_range, first, UINT_MAX, 0U) == 0) return true;
  // Before Linux 5.9. All of ours are close-on-exec; this catches what libraries left open.
  constexpr int kFdMax = 65'536;
  for (int fd = plan.fd_count; fd < kFdMax; ++fd) ::close(fd);
  return true;
}

void reset_signals(const ChildPlan& plan) {
  // Handlers become defaults by exec, but ignored signals stay ignored: a command must see SIGPIPE.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  ::sigprocmask(SIG_SETMASK, &plan.signals, nullptr);
}

// Runs in the child, on its own stack but in the parent's memory. Only system calls.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
__attribute__((no_sanitize("address", "thread")))
#endif
int child_main(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  const auto fail = [&plan](const char* step) {
    plan.failed_step = step;
    plan.failed_errno = errno;
    ::_exit(127);
  };
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);  // It died before the line above.
  // A session of its own: no controlling terminal to type into, and kill(2) can name the group.
  if (::setsid() < 0) fail("setsid");
  if (plan.working_folder != nullptr && ::chdir(plan.working_folder) != 0) fail("chdir");
  if (!place_fds(plan)) fail("dup2");
  if (::setrlimit(RLIMIT_CORE, &plan.core) != 0) fail("setrlimit core");
  if (::setrlimit(RLIMIT_FSIZE, &plan.file_size) != 0) fail("setrlimit file size");
  if (::setrlimit(RLIMIT_NOFILE, &plan.open_files) != 0) fail("setrlimit open files");
  if (plan.limit_processes && ::setrlimit(RLIMIT_NPROC, &plan.processes) != 0) {
    fail("setrlimit processes");
  }
  reset_signals(plan);
  ::execve(plan.program, plan.argv, plan.environment);
  fail("exec");
  return 127;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

class Stack {
 public:
  Stack()
      : memory_(::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  ~Stack() {
    if (memory_ != MAP_FAILED) ::munmap(memory_, kStackBytes);
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  bool valid() const { return memory_ != MAP_FAILED; }
  void* top() const { return static_cast<char*>(memory_) + kStackBytes; }

 private:
  void* memory_;
};

}  // namespace

Result<pid_t> spawn(const SpawnRequest& request) {
  CHECK(!request.argv.empty());
  CHECK(request.fds.size() < static_cast<size_t>(kParkedFdMin), request.fds.size());
  const std::vector<char*> argv = pointers(request.argv);
  const std::vector<char*> environment = pointers(request.environment);
  ChildPlan plan;
  plan.program = request.argv[0].c_str();
  plan.argv = argv.data();
  plan.environment = environment.data();
  plan.working_folder = request.working_folder.empty() ? nullptr : request.working_folder.c_str();
  plan.fds = request.fds.data();
  plan.fd_count = static_cast<int>(request.fds.size());
  plan.file_size = capped(RLIMIT_FSIZE, request.limits.file_size_bytes_max);
  plan.open_files = capped(RLIMIT_NOFILE, request.limits.open_files_max);
  plan.limit_processes = request.processes_max >= 0;
  if (plan.limit_processes) plan.processes = capped(RLIMIT_NPROC, request.processes_max);
  plan.parent = ::getpid();
  const Stack stack;
  if (!stack.valid()) return Error(ErrorCode::kIo, "starting a command: no memory for its stack");
  // A handler of ours that ran in the child would write into our memory: nothing is delivered until
  // the child has reset them.
  sigset_t everything;
  sigfillset(&everything);
  ::pthread_sigmask(SIG_SETMASK, &everything, &plan.signals);
  const sigset_t before = plan.signals;
  sigemptyset(&plan.signals);  // The command starts with nothing blocked.
  const pid_t pid = ::clone(child_main, stack.top(), CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
  const int clone_errno = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return Error(ErrorCode::kIo,
                 std::string("starting a command: clone: ") + std::strerror(clone_errno));
  }
  if (plan.failed_step == nullptr) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return Error(ErrorCode::kIo, "starting " + request.argv[0] + ": " + plan.failed_step + ": " +
                                   std::strerror(plan.failed_errno));
}

}  // namespace levin::sandbox
